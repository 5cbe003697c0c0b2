"""What a stage's checks say of a run: Dagster's have no partitions, so there is one outcome."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from selection_assets.stage.metadata import metadata
from selection_assets.stage.stage import Stage

LISTED = 50
"""Partitions of which an outcome says what was found."""

Results = Sequence[dg.AssetCheckResult]


def outcomes(
    stage: Stage, found: Mapping[str, Results], instance: dg.DagsterInstance
) -> Iterator[dg.AssetCheckResult]:
    """Give one outcome for each check: it passes when it has passed for every partition.

    Parameters
    ----------
    found : of the partitions that were made; where all were reused, each check says what it said
        before.
    """
    for name in stage.checks:
        of_it = {
            partition: result
            for partition, results in found.items()
            for result in results
            if result.check_name == name
        }
        if not of_it:
            yield _repeated(stage, name, instance)
        elif len(of_it) == 1:
            yield from of_it.values()
        else:
            yield _of_all(of_it)


def _of_all(results: Mapping[str, dg.AssetCheckResult]) -> dg.AssetCheckResult:
    """Name the partitions that have not passed, with what was found of the first of them."""
    failed = {partition: result for partition, result in results.items() if not result.passed}
    worst = next(iter(results.values()))
    for result in failed.values():
        if worst.passed or result.severity == dg.AssetCheckSeverity.ERROR:
            worst = result
    listed = {
        partition: {fact: value.value for fact, value in result.metadata.items()}
        for partition, result in list(failed.items())[:LISTED]
    }
    counts = {"partitions": len(results), "partitions_failed": len(failed)}
    return dg.AssetCheckResult(
        passed=not failed,
        check_name=worst.check_name,
        description=worst.description,
        severity=worst.severity,
        metadata=metadata({**counts, "failed": listed} if failed else counts),
    )


def _repeated(stage: Stage, name: str, instance: dg.DagsterInstance) -> dg.AssetCheckResult:
    """Repeat a check's last outcome: passed, or a warning, since nothing else becomes current."""
    key = dg.AssetCheckKey(stage.key, name)
    # The newest record is the evaluation that this very step has planned.
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    events = [record.event.dagster_event for record in records if record.event is not None]
    evaluated = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    last = next(
        (e.asset_check_evaluation_data for e in events if e and e.event_type == evaluated), None
    )
    if last is None or last.passed or last.severity != dg.AssetCheckSeverity.WARN:
        return dg.AssetCheckResult(passed=True, check_name=name)
    return dg.AssetCheckResult(
        passed=False, check_name=name, severity=last.severity, metadata=last.metadata
    )
