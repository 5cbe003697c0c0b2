"""Run some work in this process, and say how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from resources.dead_runs import process_tags
from selection_assets.refresh.signals import noted_signals
from selection_assets.refresh.work import Work, failed_text
from selection_assets.stage.asked import range_tags
from selection_assets.stage.failures import Kind, NotMade, told_by

STOPPED = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)
"""As what a signal reaches a step: through Dagster, and through DuckDB."""


class RefreshFailed(RuntimeError):
    """A run of the refresh failed; the message says which and why."""


@dataclass(frozen=True)
class Ended:
    """What a run has made, and what it has not.

    Attributes
    ----------
    not_made : asset to (partition to why), of what a cap has refused, or was of no use.
    """

    work: Work
    not_made: Mapping[str, Mapping[str, NotMade]]

    @property
    def done(self) -> list[Work]:
        """What was made."""
        parts = [
            self.work.of([asset], without=self.not_made.get(asset, ()))
            for asset in self.work.assets
        ]
        return [part for part in parts if part is not None]

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """(asset, partition) that a cap has no room for: its message."""
        return self.of_kind(Kind.REFUSED)

    @property
    def unusable(self) -> dict[tuple[str, str], str]:
        """(asset, partition) that could not be read, or has not passed its checks: why."""
        found = self.of_kind(Kind.UNUSABLE)
        return {what: failed_text(*what, reason) for what, reason in found.items()}

    def of_kind(self, kind: Kind) -> dict[tuple[str, str], str]:
        """(asset, partition) to why, of one kind."""
        return {
            (asset, partition): one.reason
            for asset, of_asset in self.not_made.items()
            for partition, one in of_asset.items()
            if one.kind == kind
        }


def run_work(
    job: dg.JobDefinition, work: Work, instance: dg.DagsterInstance, *, known: list[str]
) -> Ended:
    """Run some work; what a cap has refused and what is of no use does not keep it from ending.

    Parameters
    ----------
    known : partitions of the pool's sources, in Dagster's order.

    Raises
    ------
    RefreshFailed
        When it fails for any other reason.
    KeyboardInterrupt
        When a signal has stopped it.
    """
    many = len(work.partitions) > 1
    with noted_signals() as asked_to_stop:
        result = job.execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in work.assets],
            partition_key=None if many or not work.partitions else work.partitions[0],
            instance=instance,
            # A run that dies at once can then still be told from one that is about to start.
            tags=process_tags() | (range_tags(work.partitions, known) if many else {}),
            # The error below says why it failed; the traceback is in the run's log.
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        stopped = asked_to_stop()
    failures = result.get_step_failure_events()
    begun = {event.step_key for event in result.get_step_success_events()}
    begun |= {event.step_key for event in failures}
    # What reads a step that has failed is not begun.
    ran = replace(work, assets=tuple(asset for asset in work.assets if _step(asset) in begun))
    # A signal may come between two steps, and what Dagster itself does may fail: no step says so.
    between = result.filter_events(lambda event: event.is_job_failure and not failures)
    if stopped or any(_is_stopped(event) for event in (*failures, *between)):
        raise KeyboardInterrupt
    ended = Ended(ran, {asset: told for event in failures for asset, told in told_by(event)})
    untold = [*(event for event in failures if not told_by(event)), *between]
    if untold or not (result.success or failures):
        raise RefreshFailed("\n".join([f"{work.text} failed:", *map(_reason, untold)]))
    for what, reason in ended.of_kind(Kind.BROKEN).items():
        raise RefreshFailed(failed_text(*what, reason))
    return ended


def _step(asset: str) -> str:
    """Key of the step in which Dagster makes an asset."""
    return dg.AssetKey.from_user_string(asset).to_python_identifier()


def _reason(event: dg.DagsterEvent) -> str:
    """Why it failed without saying which partition: the traceback is in the run's log."""
    error = _error(event)
    if error is None:
        return "no reason is known"
    return (error.cause or error).message.strip()


def _is_stopped(event: dg.DagsterEvent) -> bool:
    """Whether Dagster has ended it because of a signal, such as that of Ctrl-C."""
    error = _error(event)
    names = {error.cls_name, error.cause and error.cause.cls_name} if error is not None else set()
    return bool(names & {kind.__name__ for kind in STOPPED})


def _error(event: dg.DagsterEvent) -> SerializableErrorInfo | None:
    """What was raised in a step, or in a run beside its steps."""
    return (event.step_failure_data if event.is_step_failure else event.job_failure_data).error
