"""How are an arm's FLOPs and seconds, and the verdicts at equal FLOPs and seconds, laid out?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selection.judging.equal_seconds import judge_at_equal_seconds
from selection.judging.result import Arm

HEADINGS = [
    "method",
    "budget",
    "total FLOPs",
    "selection seconds",
    "training seconds",
    "total seconds",
    "at equal FLOPs",
    "at equal seconds",
]


def times_table(
    arms: Sequence[Arm], rows: Sequence[Mapping[str, Any]], *, level: float, n_resamples: int
) -> tuple[list[str], list[list[Any]]]:
    """Lay out both costs of every arm, and what is left of both verdicts when all are counted.

    Parameters
    ----------
    arms : with their seconds; a gap for those without.
    rows : of the frontier, in the same order.
    level, n_resamples : of the verdicts.
    """
    judged = judge_at_equal_seconds(arms, level=level, n_resamples=n_resamples)
    found = []
    for arm, row in zip(arms, rows, strict=True):
        seconds = arm.seconds
        took: list[float | None] = [None] * 3
        if seconds is not None:
            took = [seconds.selection, seconds.training, seconds.total]
        at_seconds = judged.get((arm.method, arm.budget))
        at_equal = row["corrected"] if at_seconds is None else at_seconds.said
        flops = row["selection_flops"] + row["training_flops"]
        found.append([arm.method, arm.budget, flops, *took, row["corrected"], at_equal])
    return HEADINGS, found
