"""Do two methods select the same rows?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from selection.judging.result import StudyResult


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Rows in both over rows in either; two empty selections are the same one."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


def mean_overlap(results: Sequence[StudyResult], budget: str) -> tuple[list[str], np.ndarray]:
    """Compare what the methods selected first at a budget; the mean over targets.

    Methods that train on fewer rows than others, because their selection costs more or their rows
    are longer, cannot reach 1 with them.

    Returns
    -------
    methods : list of str, length M
    jaccard_MM : float64 of shape (M, M)
        1 on the diagonal; NaN for methods that never ran together.

    Raises
    ------
    ValueError
        If an arm at that budget has no draw 0.
    """
    chosen = [_first_draws(result, budget) for result in results]
    methods = list(dict.fromkeys(name for own in chosen for name in own))

    def mean(one: str, other: str) -> float:
        both = [jaccard(own[one], own[other]) for own in chosen if one in own and other in own]
        return float(np.mean(both)) if both else math.nan

    return methods, np.array([[mean(a, b) for b in methods] for a in methods])


def _first_draws(result: StudyResult, budget: str) -> dict[str, frozenset[str]]:
    found = {}
    for method in result.methods:
        arm = result.arm(method, budget)
        if arm is not None:
            if 0 not in arm.selected:
                raise ValueError(f"{method} at {budget} of {result.name} has no draw 0.")
            found[method] = arm.selected[0]
    return found
