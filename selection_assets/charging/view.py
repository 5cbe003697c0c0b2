"""How are an arm's FLOPs and seconds, and the verdicts at equal FLOPs and seconds, laid out?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import spent_by_step
from selection.config.study import Study
from selection.judging.equal_seconds import judge_at_equal_seconds
from selection.judging.result import RANDOM, Arm
from selection_assets.charging.seconds import TimedStudy

Table = tuple[list[str], list[list[Any]]]

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


def with_seconds(arms: Sequence[Arm], timed: TimedStudy) -> list[Arm]:
    """The same arms, each with the seconds that it took."""
    return [
        replace(arm, seconds=timed.seconds_of(arm.method, arm.budget, arm.training_flops))
        for arm in arms
    ]


def times_table(study: Study, arms: Sequence[Arm], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out both costs of every arm, and both verdicts on it.

    Parameters
    ----------
    arms : with their seconds.
    rows : of the frontier, in the same order.
    """
    judged = judge_at_equal_seconds(
        arms, level=study.evaluation.level, n_resamples=study.evaluation.n_resamples
    )
    found = []
    for arm, row in zip(arms, rows, strict=True):
        seconds = arm.seconds
        took = [None] * 3
        if seconds is not None:
            took = [seconds.selection, seconds.training, seconds.total]
        at_equal = judged[arm.method, arm.budget].said if arm.method != RANDOM else row["verdict"]
        flops = row["selection_flops"] + row["training_flops"]
        found.append([arm.method, arm.budget, flops, *took, row["verdict"], at_equal])
    return HEADINGS, found


def hardware(study: Study, ledger: Ledger) -> list[str]:
    """Devices and processors, with their threads, that the study and its pool were made on."""
    rows = spent_by_step(ledger, [study.name, study.pool])
    return sorted({name for row in rows for name in row["devices"]} - {"none"})
