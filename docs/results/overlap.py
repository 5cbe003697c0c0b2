"""Do two methods select the same rows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selection.judging.result import StudyResult


@dataclass(frozen=True)
class Overlap:
    """Jaccard indices of the methods' first draws at one budget.

    Attributes
    ----------
    methods : names, M of them.
    jaccard_MM : float64 of shape (M, M); rows in both over rows in either, 1 on the diagonal.
    """

    methods: tuple[str, ...]
    jaccard_MM: np.ndarray


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Rows in both over rows in either; two empty selections are the same one."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


def overlap(result: StudyResult, budget: str, *, draw: int = 0) -> Overlap:
    """Compare what the methods of one study selected at a budget.

    Methods that train on fewer rows than others, because their selection costs more or their rows
    are longer, cannot reach 1 with them.

    Parameters
    ----------
    draw : which of the draws of a method that has one for each seed.

    Raises
    ------
    ValueError
        If an arm at that budget has no such draw.
    """
    chosen: dict[str, frozenset[str]] = {}
    for method in result.methods:
        arm = result.arm(method, budget)
        if arm is None:
            continue
        if draw not in arm.selected:
            raise ValueError(f"{method} at {budget} of {result.name} has no draw {draw}.")
        chosen[method] = arm.selected[draw]
    sets = list(chosen.values())
    jaccard_MM = np.array([[jaccard(a, b) for b in sets] for a in sets])
    return Overlap(tuple(chosen), jaccard_MM.reshape(len(sets), len(sets)))


def mean_overlap(results: Sequence[StudyResult], budget: str) -> Overlap:
    """Mean over targets of the overlap at a budget; NaN for methods that never ran together."""
    each = [overlap(result, budget) for result in results]
    methods = tuple(dict.fromkeys(name for found in each for name in found.methods))
    sums_MM, n_MM = np.zeros((len(methods),) * 2), np.zeros((len(methods),) * 2)
    for found in each:
        places = np.ix_(*[[methods.index(name) for name in found.methods]] * 2)
        sums_MM[places] += found.jaccard_MM
        n_MM[places] += 1
    with np.errstate(invalid="ignore"):
        return Overlap(methods, sums_MM / n_MM)
