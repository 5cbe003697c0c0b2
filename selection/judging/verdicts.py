"""Whether one way of choosing rows beats another, judged on few seeds and many examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from selection.judging.intervals import estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Label = Literal["better", "worse", "not distinguishable"]
UNDECIDED: Label = "not distinguishable"


@dataclass(frozen=True)
class Verdict:
    """What can be said of an arm against the random arm.

    Attributes
    ----------
    label : {"better", "worse", "not distinguishable"}
        "not distinguishable" when the interval of the difference contains zero.
    difference, low, high : float
        Score of the arm minus score of random, with its interval.
    level : float
        The interval's nominal coverage, in (0, 1).
    p_value : float
        Two-sided, of no difference, by the interval's own Student t: below ``1 - level`` where the
        interval leaves zero out.
    """

    label: Label
    difference: float
    low: float
    high: float
    level: float
    p_value: float


def compare(
    arm_SE: ArrayLike,
    random_SE: ArrayLike,
    weights_E: ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Verdict:
    """Judge an arm against random at equal total cost.

    Examples are paired: one resample of them serves both arms. Seeds are resampled
    independently, because seed 0 of one arm has nothing in common with seed 0 of the other.

    Parameters
    ----------
    arm_SE, random_SE : array_like of shape (n_seeds, n_examples)
        Per-example losses of the two arms on the same examples in the same order. The arms may
        have different numbers of seeds, at least two each.
    weights_E : array_like of shape (n_examples,)
        Tokens of each example, or ones.
    level, n_resamples, seed
        As in `score_interval`.

    Raises
    ------
    ValueError
        As in `score_interval`, and if an arm has fewer than two seeds.
    """
    arms = {"arm_SE": arm_SE, "random_SE": random_SE}
    found = estimate(arms, (1.0, -1.0), weights_E, level=level, n_resamples=n_resamples, seed=seed)
    for name, values_SE in arms.items():
        n_seeds = len(np.asarray(values_SE))
        if n_seeds < 2:
            raise ValueError(
                f"{name} has {n_seeds} seed, and a verdict needs at least two: the spread "
                "over seeds cannot be told from one. Give the study more seeds."
            )
    difference, half_width = found.value, found.half_width(level)
    label: Label = UNDECIDED
    if abs(difference) > half_width:
        label = "better" if difference < 0 else "worse"
    low, high = difference - half_width, difference + half_width
    return Verdict(label, difference, low, high, level, found.p_value)
