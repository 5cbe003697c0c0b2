"""Run some work in this process, and say how it ended."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.dead_runs import process_tags
from resources.project import project_root
from resources.refused import REFUSED
from selection.reports.numbers import number
from selection_assets.refresh.staleness import Work
from selection_assets.stage.step import REMEDY

CHECK_FAILED = "DagsterAssetCheckFailedError"
"""Name of Dagster's error for a check that blocks what comes after."""

DISK_FULL = os.strerror(errno.ENOSPC)
"""How every library quotes the system, whatever it makes of it."""


class RefreshFailed(RuntimeError):
    """A run of the refresh failed; the message says which and why."""


class WorkFailed(RefreshFailed):
    """Some work could not be read, or did not pass its checks: if it is a source's, only that."""


def describe(work: Work) -> str:
    """One short line for a progress bar."""
    names = ", ".join(asset.rpartition("/")[2] for asset in work.assets)
    return f"{names} [{work.partition}]" if work.partition else names


def run_work(job: dg.JobDefinition, work: Work, instance: dg.DagsterInstance) -> list[str]:
    """Run some work; returns why a cap has kept it from running, or from ending.

    Raises
    ------
    WorkFailed
        When something could not be read, or did not pass its checks.
    RefreshFailed
        When it fails for any other reason.
    """
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey.from_user_string(asset) for asset in work.assets],
        partition_key=work.partition,
        instance=instance,
        # A run that dies at once can then still be told from one that is about to start.
        tags=process_tags(),
        # The error below says why it failed; the traceback is in the run's log.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    if result.success:
        return []
    failures = result.get_step_failure_events()
    reasons = [_reason(event) for event in failures]
    if failures and all(_is_refused(event) for event in failures):
        return reasons
    said = [*_failed_checks(result), *filter(None, reasons), *_bad_rows(result)]
    if any(DISK_FULL in reason for reason in reasons):
        said.append(f"Make room on the disk of {project_root()}; what was finished stays.")
    message = "\n".join([f"{describe(work)} failed:", *said])
    judged = failures and all(_is_read_or_judged(event) for event in failures)
    raise (WorkFailed if judged else RefreshFailed)(message)


def _is_read_or_judged(event: dg.DagsterEvent) -> bool:
    """Whether a step has failed in what reads from outside, or by a check."""
    return _is_judged(event) or str(event.step_key).endswith("__raw_corpus")


def _is_judged(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == CHECK_FAILED


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[str]:
    """Of each check that blocks: what was to be so, what was found, and what to do about it."""
    lines = []
    for check in result.get_asset_check_evaluations():
        if check.passed or check.severity != dg.AssetCheckSeverity.ERROR:
            continue
        facts = {name: value.value for name, value in check.metadata.items()}
        remedy = facts.pop(REMEDY, "")
        found = "; ".join(
            f"{name.replace('_', ' ')}: {_shown(fact)}" for name, fact in facts.items()
        )
        asset = check.asset_key.to_user_string()
        lines.append(f"{asset} fails its check {check.check_name}: {check.description}")
        lines += [f"  {said}" for said in (found, remedy) if said]
    return lines


def _shown(fact: object) -> str:
    if isinstance(fact, Sequence) and not isinstance(fact, str):
        return ", ".join(map(str, fact)) or "none"
    return number(fact) if isinstance(fact, int | float) else str(fact)


def _bad_rows(result: dg.ExecuteInProcessResult) -> list[str]:
    """Of what a failed run has read: how many rows were bad, why, and where first."""
    lines = []
    for event in result.get_asset_materialization_events():
        facts = event.materialization.metadata
        first = facts.get("first_quarantined")
        if isinstance(first, dg.JsonMetadataValue) and isinstance(first.data, list) and first.data:
            table = Path(str(facts["dagster/uri"].value)) / "quarantine.parquet"
            lines += [f"bad rows, listed in {table}:", *(f"  {reason}" for reason in first.data)]
    return lines


def _is_refused(event: dg.DagsterEvent) -> bool:
    by_user = event.step_failure_data.user_failure_data
    return by_user is not None and REFUSED in by_user.metadata


def _reason(event: dg.DagsterEvent) -> str:
    """Why a step failed, without the traceback: that is in the run's log.

    Empty where a check says it.
    """
    failure = event.step_failure_data
    if _is_judged(event):
        return ""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if failure.error is None:
        return "no reason is known"
    error = failure.error.cause or failure.error
    if error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "stopped by a signal; what was finished stays, and the next run goes on from there"
    # Whose error it is tells a person nothing, when it is one of ours that says what to do.
    return re.sub(
        rf"^(resources|selection|selection_assets)\.\S*{error.cls_name}: ",
        "",
        error.message.strip(),
    )
