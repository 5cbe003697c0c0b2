"""How far each source of a pool is from a target, and which are nearest.

Source: GOT-D (arXiv 2405.02774): a sample of each domain, its OT distance to the target, and only
the nearest domains are searched for rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from selection.transport.points import SMALLEST_COST, unit_rows
from selection.transport.potentials import solve_potentials
from selection.transport.sample import KeyedSample


@dataclass(frozen=True)
class SourceDistances:
    """Sources by rising distance, equal distances by name.

    Attributes
    ----------
    names : tuple of str
    distances : tuple of float
        ``OT_eps``, in units of the cost (squared distance of unit rows).
    rows : tuple of int
        Rows of each that were measured. A small sample overstates a distance.
    eps : float
        The regularisation that all distances share.
    flops : float
    """

    names: tuple[str, ...]
    distances: tuple[float, ...]
    rows: tuple[int, ...]
    eps: float
    flops: float


def source_distances(
    batches: Iterable[tuple[str, np.ndarray, np.ndarray]],
    target: np.ndarray,
    *,
    n_rows: int,
    eps_rel: float = 0.02,
    tol: float = 1e-3,
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> SourceDistances:
    """Measure the entropic OT value between a sample of each source and the target.

    ``OT_eps = <P, C> + eps KL(P | a x b)``, the value whose gradient ranks the rows; at the optimum
    it is ``<a, f> + <b, g>``, so that the solve gives it without a further pass. An exact network
    simplex would take hours on the paper's 10,000 rows and a large target. One eps serves all
    sources: a share of the mean cost between the target and all samples, each source counting the
    same, so that the values compare.

    Memory holds the samples of all sources, in the dtype of the rows.

    Parameters
    ----------
    batches : iterable of (source, keys of shape (B,), rows of shape (B, D))
        In any order; the n_rows rows of a source with the smallest keys are measured.
    target : array of shape (M, D)
    n_rows : int
        Rows of each source at most.
    eps_rel, tol : as in `solve_potentials`.
    options : further arguments of `solve_potentials`.

    Raises
    ------
    NotConverged
        A solve did not reach its tolerance.
    ValueError
        A row without a source, no rows at all, or unusable rows.
    """
    samples: dict[str, KeyedSample] = {}
    for source, keys, rows in batches:
        if not source:
            raise ValueError(
                f"{len(rows)} rows of the pool name no source, so the nearest sources cannot be "
                "found; give Rows.source"
            )
        if len(rows):
            samples.setdefault(source, KeyedSample(n_rows)).add(keys, rows)
    if not samples:
        raise ValueError("the pool has no rows to measure a source by; give at least one")
    rows_of = {name: samples[name].rows for name in sorted(samples)}
    eps = _shared_eps(rows_of, target, eps_rel)
    measured, flops = [], 0.0
    for name, rows in rows_of.items():
        # A calibrated gradient needs two rows, a distance one: twice the same has its distance.
        least_two = rows if len(rows) > 1 else np.repeat(rows, 2, axis=0)
        solved = solve_potentials(least_two, target, eps=eps, tol=tol, **options)
        flops += solved.flops
        distance = solved.mean_f + float(solved.b @ solved.g)
        measured.append((distance, name, len(rows)))
        say(f"source {name}: distance {distance:.4f} to the target, by {len(rows)} rows")
    distances, names, counts = zip(*sorted(measured), strict=True)
    return SourceDistances(names, distances, counts, eps, flops)


def _shared_eps(samples: Mapping[str, np.ndarray], target: np.ndarray, eps_rel: float) -> float:
    """Give eps_rel times the mean cost, which two means of unit rows give without the pairs."""
    target_D = unit_rows(target, "target").mean(axis=0)
    costs = [
        2.0 - 2.0 * float(unit_rows(rows, f"source {name}").mean(axis=0) @ target_D)
        for name, rows in samples.items()
    ]
    mean_cost = float(np.mean(costs))
    if mean_cost < SMALLEST_COST:
        raise ValueError(
            f"the mean cost of all sources is zero within rounding ({mean_cost:.1e}): every row "
            "equals every target row, so no source is nearer; leave nearest_sources out"
        )
    return eps_rel * mean_cost
