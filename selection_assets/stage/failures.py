"""Why partitions of a run were not made: as people read it, and as the refresh goes on by it."""

import errno
import os
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.ledger.loss import LedgerLost
from resources.project import project_root
from resources.refused import REFUSED
from resources.store.shared_store import SharedStoreFailed
from selection.reports.numbers import number
from selection_assets.stage.run_step import Made
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import REMEDY

NOT_MADE = "not_made"
"""Metadata of a step's failure: the asset, and partition to kind and reason."""

DISK_FULL = os.strerror(errno.ENOSPC)
"""How every library quotes the system, whatever it makes of it."""

OURS = re.compile(r"^(resources|selection|selection_assets)\.\S*?: ")


class Kind(StrEnum):
    """What a failure means for others."""

    REFUSED = "refused"  # by a cap: what does not need this partition goes on
    UNUSABLE = "unusable"  # what is read from outside, or what was made of it: so do the others
    BROKEN = "broken"  # nobody knows what else it would spoil: nothing goes on


@dataclass(frozen=True)
class NotMade:
    """Why a partition has no new version, or one that readers do not get."""

    kind: Kind
    reason: str


def why_not_made(stage: Stage, error: Exception) -> NotMade:
    """Tell what an error means that making a partition has raised."""
    if isinstance(error, dg.Failure):
        reason = error.description or "no reason is known"
        if REFUSED in error.metadata:
            return NotMade(Kind.REFUSED, reason)
    else:
        # Whose error it is tells a person nothing, when it is one of ours that says what to do.
        reason = OURS.sub("", "".join(traceback.format_exception_only(error)).strip())
    full = DISK_FULL in reason
    if full:
        reason += f"\nMake room on the disk of {project_root()}; what was finished stays."
    no_store = isinstance(error, LedgerBusy | LedgerLost | SharedStoreFailed)
    broken = full or no_store or not stage.reads_outside
    return NotMade(Kind.BROKEN if broken else Kind.UNUSABLE, reason)


def why_not_passed(stage: Stage, made: Made) -> NotMade:
    """Say what was found of a partition that does not pass its checks, and what to do about it."""
    lines = [line for check in made.failed_checks for line in _said_by(stage, check)]
    first = (made.facts or {}).get("first_quarantined")
    if first:
        lines.append(f"bad rows, listed in {made.artifact.folder / 'quarantine.parquet'}:")
        lines += [f"  {reason}" for reason in first]
    return NotMade(Kind.UNUSABLE, "\n".join(lines))


def _said_by(stage: Stage, check: dg.AssetCheckResult) -> Iterator[str]:
    facts = {name: value.value for name, value in check.metadata.items()}
    remedy = facts.pop(REMEDY, "")
    found = "; ".join(f"{name.replace('_', ' ')}: {_shown(fact)}" for name, fact in facts.items())
    yield f"{stage.name} fails its check {check.check_name}: {check.description}"
    yield from (f"  {said}" for said in (found, remedy) if said)


def _shown(fact: object) -> str:
    if isinstance(fact, Sequence) and not isinstance(fact, str):
        return ", ".join(map(str, fact)) or "none"
    return number(fact) if isinstance(fact, int | float) else str(fact)


def failure(stage: Stage, not_made: Mapping[str, NotMade], of: int) -> dg.Failure:
    """Failure of a step that was to make `of` partitions."""
    reasons = [one.reason for one in not_made.values()]
    if of > 1:
        reasons = [f"[{key}] {one.reason}" for key, one in not_made.items()]
        reasons.insert(0, f"{len(not_made):,} of {of:,} partitions of {stage.name} were not made:")
    facts = {key: {"kind": one.kind, "reason": one.reason} for key, one in not_made.items()}
    told = {NOT_MADE: {"asset": stage.name, "partitions": facts}}
    return dg.Failure("\n".join(reasons), metadata=told, allow_retries=False)


def told_by(event: dg.DagsterEvent) -> list[tuple[str, dict[str, NotMade]]]:
    """The asset and what of it was not made, by a step's `failure`; nothing of any other one."""
    by_stage = event.step_failure_data.user_failure_data
    if by_stage is None or NOT_MADE not in by_stage.metadata:
        return []
    told: Any = by_stage.metadata[NOT_MADE].value
    found = told["partitions"].items()
    made = {key: NotMade(Kind(one["kind"]), one["reason"]) for key, one in found}
    return [(told["asset"], made)]
