"""How many seconds an amount of work takes: so many to begin with, and so many a FLOP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

ARITHMETIC = "arithmetic"
"""Kind of plain products of arrays: what methods fit and score with, until they have been seen."""

KINDS = frozenset(
    {
        *("embedding", "loading", "reading", "training", "fine_tuning", "evaluation"),
        *("distances", ARITHMETIC),
    }
)
"""Kinds of work that are measured."""


def known_kind(kind: str) -> str:
    """Give a kind of work back.

    Raises
    ------
    ValueError
        For one that nobody measures, and whose forecast would never be found.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of work {kind!r}; known: {', '.join(sorted(KINDS))}")
    return kind


@dataclass(frozen=True)
class Rate:
    """Seconds of one kind of work on one device.

    Attributes
    ----------
    fixed_seconds : of each time it is begun, whatever its size.
    seconds_per_flop : of its FLOPs, by the accountant that it was measured with.

    Raises
    ------
    ValueError
        When either is negative or not finite.
    """

    fixed_seconds: float
    seconds_per_flop: float

    def __post_init__(self) -> None:
        """Refuse what no clock can have shown."""
        for name, value in asdict(self).items():
            if not 0 <= value < math.inf:
                raise ValueError(f"Rate.{name} must be finite and >= 0, got {value}")

    def seconds(self, flops: float, *, times: int = 1) -> float:
        """Seconds of `flops` FLOPs in all, begun `times` times."""
        return times * self.fixed_seconds + flops * self.seconds_per_flop


def fit_rate(small: tuple[float, float], large: tuple[float, float]) -> Rate:
    """Rate through two measurements, each (FLOPs, seconds).

    Where their noise would make a part of it negative, all of the large one's time is put down to
    its FLOPs, so that no amount of work can seem to be free.

    Raises
    ------
    ValueError
        When the large one has no more FLOPs than the small one.
    """
    (flops_small, seconds_small), (flops_large, seconds_large) = small, large
    if not flops_large > flops_small >= 0:
        raise ValueError(
            f"a rate needs two amounts of work, got {flops_small:.4g} and {flops_large:.4g} FLOPs;"
            " measure the large one on more rows"
        )
    slope = (seconds_large - seconds_small) / (flops_large - flops_small)
    fixed = seconds_small - slope * flops_small
    if slope <= 0 or fixed < 0:
        return Rate(0.0, seconds_large / flops_large)
    return Rate(fixed, slope)


def rate_seen(steps: Sequence[tuple[float, float]]) -> Rate:
    """Rate at which steps of one kind have run: what best explains the seconds of all of them.

    Relative errors count, so that a short step says as much as a long one. Neither part can be
    negative (non-negative least squares, Lawson and Hanson 1974, "Solving Least Squares Problems").

    Parameters
    ----------
    steps : (FLOPs, seconds) of each, seconds above 0.

    Raises
    ------
    ValueError
        Without a step, or for one that took no time.
    """
    from scipy.optimize import nnls

    flops_N, seconds_N = np.array(steps, dtype=np.float64).reshape(-1, 2).T
    if not len(seconds_N) or not (seconds_N > 0).all():
        raise ValueError(f"a rate needs steps that took time, got {list(steps)}")
    unit = max(1.0, float(flops_N.max()))  # there is no part of an operation
    if np.ptp(flops_N) <= 1e-9 * unit:  # of one size only: nothing parts fixed time from the rest
        typical = float(np.median(seconds_N))
        return Rate(0.0, typical / unit) if flops_N.max() >= 1 else Rate(typical, 0.0)
    columns_N2 = np.stack([1.0 / seconds_N, flops_N / unit / seconds_N], axis=1)
    (fixed, per_unit), _ = nnls(columns_N2, np.ones(len(seconds_N)))
    return Rate(float(fixed), float(per_unit) / unit)
