"""A study's arms with the seconds that they took, and what they were measured on."""

from collections.abc import Sequence
from dataclasses import replace

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import spent_by_step
from selection.config.study import Study
from selection.judging.result import Arm
from selection_assets.charging.seconds import TimedStudy


def with_seconds(arms: Sequence[Arm], timed: TimedStudy) -> list[Arm]:
    """The same arms, each with the seconds that it took."""
    return [
        replace(arm, seconds=timed.seconds_of(arm.method, arm.budget, arm.training_flops))
        for arm in arms
    ]


def hardware(study: Study, ledger: Ledger) -> list[str]:
    """Devices and processors, with their threads, that the study and its pool were made on."""
    rows = spent_by_step(ledger, [study.name, study.pool])
    return sorted({name for row in rows for name in row["devices"]} - {"none"})
