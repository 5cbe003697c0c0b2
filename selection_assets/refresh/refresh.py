"""Bring a study up to date: materialize what is stale, and only that."""

from dataclasses import dataclass, field

import dagster as dg
from tqdm import tqdm

from resources.ledger.ledger import Ledger
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.not_read import not_read_text
from selection_assets.graph import pool_stages, study_stages
from selection_assets.refresh.following import with_followers
from selection_assets.refresh.partitions import (
    known_sources,
    register_sources,
    remove_partition,
    sources_of,
)
from selection_assets.refresh.run_work import Ended, RefreshFailed, run_work
from selection_assets.refresh.staleness import (
    Refused,
    levels_of,
    stale_partitions,
    stale_work,
    with_ancestors,
)
from selection_assets.refresh.work import Work
from selection_assets.shared.pool_sources import PoolSources
from selection_assets.stage.keys import pool_key, study_key
from selection_assets.stage.stage import Stage
from selection_assets.studies import load_pools

PLAN = "budget_plan"


class NoSuchAsset(ValueError):
    """A study has no asset of a name; the message says which it has."""


class Unfinished(RefreshFailed):
    """All that can run has run; the message says what has not.

    Attributes
    ----------
    done : what was materialized, in order.
    """

    def __init__(self, message: str, done: list[Work]) -> None:
        super().__init__(message)
        self.done = done


class StoppedByCap(Unfinished):
    """What the cap admits has run; the message says what it has not admitted."""


class SourcesFailed(Unfinished):
    """The study is up to date without some sources; the message says which, and why."""


def refresh(
    study: Study,
    definitions: dg.Definitions,
    ledger: Ledger,
    instance: dg.DagsterInstance,
    *,
    up_to: str | None = None,
    arm: str | None = None,
) -> list[Work]:
    """Materialize, in this process, everything of a study that is not up to date.

    Where the cap keeps a step from starting, what does not need it runs all the same; and so does
    the rest of a pool where a source cannot be read or fails its checks.

    Parameters
    ----------
    up_to : name of an asset of the study or of its pool, such as "selected_subset"; stop when that
        is up to date, and the plan, without which nothing is spent.
    arm : the one that is wanted, as a partition key, and what it needs; None for all.

    Returns
    -------
    list of Work
        What was materialized, in order; empty when nothing had changed.

    Raises
    ------
    NoSuchAsset
        When the study has nothing of the name `up_to`.
    RefreshFailed
        When a step fails or a blocking check does not pass, and when no source can be read.
    StoppedByCap
        At the end, when the cap has kept steps from starting.
    SourcesFailed
        At the end, when sources have failed.
    """
    pool = load_pools()[study.pool]
    # Of one moment: what is dropped meanwhile is for the next time.
    progress = Progress(pool, sources_of(pool, ledger))
    register_sources(pool, progress.sources, instance)
    job = definitions.resolve_implicit_global_asset_job_def()
    planning, rest = _levels(study, pool, up_to)
    levels = [*planning, *rest]
    with tqdm(levels, unit=" levels", desc=f"study {study.name}") as bar:
        for place, level in enumerate(bar, start=1):
            _require_sources(pool, progress)
            now = (progress.sources, study, ledger, progress.refused)
            # The plan decides what comes after it.
            end = len(planning) if place <= len(planning) else None
            later = [stage for after in levels[place:end] for stage in after]
            for work in stale_work(level, *now, arm=arm):
                left = work.of(work.assets, without=progress.sources.left_out)
                if left is None:
                    continue
                if later and progress.is_undisturbed:
                    stale = stale_partitions([*level, *later], *now[:3], arm=arm)
                    made = {asset for asset, _ in ledger.current_data_versions()}
                    left = with_followers(left, later, stale, made)
                bar.set_postfix_str(left.text)
                ended = run_work(job, left, instance, known=known_sources(pool, instance))
                progress.go_on_after(ended, instance, ledger)
            if progress.refused.messages and place == len(planning):
                break  # without a plan nothing else starts
    progress.finish()
    return progress.done


@dataclass
class Progress:
    """What a refresh has come to.

    Attributes
    ----------
    sources : of the pool; without those that have failed and have no rows from before.
    failed : source to why it failed last.
    """

    pool: Pool
    sources: PoolSources
    done: list[Work] = field(default_factory=list)
    refused: Refused = field(default_factory=Refused)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing has failed or been refused so far."""
        return not (self.refused.steps or self.refused.messages or self.failed)

    def go_on_after(self, ended: Ended, instance: dg.DagsterInstance, ledger: Ledger) -> None:
        """Take note of what a run has made, and do without the sources that are of no use.

        Raises
        ------
        RefreshFailed
            When something else is of no use.
        """
        self.done += ended.done
        self.refused.add(ended.refused)
        for (asset, source), message in ended.unusable.items():
            if source not in self.sources.partitions:
                raise RefreshFailed(message)
            self.failed[source] = message
            if not self._keeps_its_rows(asset, source, ledger):
                self.sources = self.sources.without(source)
                remove_partition(self.pool, source, instance)

    def _keeps_its_rows(self, asset: str, source: str, ledger: Ledger) -> bool:
        """Whether a source that could not be read again goes on with what it had."""
        corpus = pool_key(self.pool.name, "raw_corpus").to_user_string()
        return asset == corpus and source in ledger.current_versions(corpus)

    def finish(self) -> None:
        """Say what has not been made.

        Raises
        ------
        StoppedByCap, SourcesFailed
        """
        found_before = map(str, self.sources.unusable.values())
        wrong = [*dict.fromkeys(self.refused.messages), *self.failed.values(), *found_before]
        if wrong:
            kind = StoppedByCap if self.refused.messages else SourcesFailed
            raise kind("\n".join(wrong), self.done)


def _require_sources(pool: Pool, progress: Progress) -> None:
    if not progress.sources.partitions:
        said = [f"pool {pool.name} has no source that can be read", *progress.failed.values()]
        raise RefreshFailed("\n".join([*said, not_read_text(progress.sources.not_read)]).strip())


def plan_refresh(
    study: Study, ledger: Ledger, *, up_to: str | None = None, arm: str | None = None
) -> list[Work]:
    """Return the first level of stale work, without doing it: the rest depends on its results."""
    pool = load_pools()[study.pool]
    planning, rest = _levels(study, pool, up_to)
    sources = sources_of(pool, ledger)
    for level in [*planning, *rest]:
        stale = stale_work(level, sources, study, ledger, arm=arm)
        if stale:
            return stale
    return []


def named_stages(study: Study, pool: Pool, name: str) -> list[Stage]:
    """Stages of a study and of its pool that bear a name, upstream first.

    Raises
    ------
    NoSuchAsset
        Naming those that there are.
    """
    return _named(_stages(study, pool), study, name)


def _named(stages: list[Stage], study: Study, name: str) -> list[Stage]:
    found = [stage for stage in stages if name in (stage.name, stage.key.path[-1])]
    if not found:
        known = ", ".join(dict.fromkeys(stage.key.path[-1] for stage in stages))
        raise NoSuchAsset(f"study {study.name} has no asset {name!r}; it has {known}")
    return found


def _stages(study: Study, pool: Pool) -> list[Stage]:
    return [*pool_stages(pool, [study]), *study_stages(study)]


def _levels(
    study: Study, pool: Pool, up_to: str | None = None
) -> tuple[list[list[Stage]], list[list[Stage]]]:
    """Levels of the plan with what it needs, and of the rest: nothing is to be spent before it."""
    stages, plan = _stages(study, pool), study_key(study, PLAN)
    if up_to is not None:
        wanted = [stage.key for stage in _named(stages, study, up_to)]
        stages = with_ancestors(stages, [*wanted, plan])
    planning = with_ancestors(stages, [plan])
    first = {stage.key for stage in planning}
    rest = [stage for stage in stages if stage.key not in first]
    return list(levels_of(planning)), list(levels_of(rest))
