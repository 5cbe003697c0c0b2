"""What has never been made is made in the run that makes what it reads, and nothing too early."""

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from small_project import Project, enter
from smallest_study import NAME, SOURCES

from resources.store.artifacts import UNPARTITIONED
from selection_assets.graph import study_stages
from selection_assets.refresh.following import with_followers
from selection_assets.refresh.refresh import SourcesFailed, refresh
from selection_assets.refresh.staleness import levels_of
from selection_assets.refresh.work import Work
from selection_assets.stage.keys import arm_key
from selection_assets.stage.stage import Stage
from selection_assets.studies import load_study

ARMS = [arm_key(method, "40pct") for method in ("random", "ot")]


@pytest.fixture
def fresh_smallest(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


@pytest.fixture
def stages(fresh_smallest: Project) -> list[Stage]:
    return list(chain.from_iterable(levels_of(study_stages(load_study(NAME)))))


def of(*names: str) -> tuple[str, ...]:
    return tuple(f"{NAME}/{name}" for name in names)


def everything_stale(stages: list[Stage]) -> dict[str, list[str]]:
    """As of a study of which nothing was made, over a pool that is all there."""
    return {
        stage.name: [*SOURCES] if stage.over_sources else ARMS if stage.over_arms else ["all"]
        for stage in stages
    }


def after(stages: list[Stage], name: str) -> list[Stage]:
    place = [stage.name for stage in stages].index(name)
    return stages[place + 1 :]


def test_a_run_goes_on_to_what_reads_it_while_partitions_are_alike(stages):
    [embeddings] = of("target_embeddings")
    later = after(stages, embeddings)
    stale = everything_stale([stage for stage in later if "plan" not in stage.name])
    work = with_followers(Work((embeddings,)), later, stale, made=())
    assert set(of("target_leaks", "ot_potentials", "ot_scores")) < set(work.assets)
    assert work.partitions == SOURCES
    assert not set(of("selected_subset", "training_file", "eval_report")) & set(work.assets)


def test_what_was_made_before_waits_until_it_is_known_whether_its_inputs_differ(stages):
    [embeddings] = of("target_embeddings")
    later = after(stages, embeddings)
    stale = everything_stale([stage for stage in later if "plan" not in stage.name])
    work = with_followers(Work((embeddings,)), later, stale, made=of("ot_potentials"))
    assert f"{NAME}/target_leaks" in work.assets
    assert not set(of("ot_potentials", "ot_scores")) & set(work.assets)
    # Up to date now, and perhaps no more once the run is over.
    [potentials] = of("ot_potentials")
    stale.pop(potentials)
    work = with_followers(Work((embeddings,)), later, stale, made=of("ot_potentials"))
    assert not set(of("ot_potentials", "ot_scores")) & set(work.assets)


def test_what_reads_all_arms_waits_for_the_runs_of_the_others(stages):
    report, frontier = of("eval_report", "pareto_frontier")
    later = after(stages, report)
    stale = {report: ARMS, frontier: [UNPARTITIONED]}
    first = with_followers(Work((report,), (ARMS[0],)), later, stale, made=())
    assert first.assets == (report,)
    last = with_followers(Work((report,), (ARMS[1],)), later, stale | {report: ARMS[1:]}, made=())
    assert last.assets == (report, frontier)


def test_arms_are_a_run_each_and_one_that_is_alone_follows(stages):
    scores, subset, file = of("ot_scores", "selected_subset", "training_file")
    later = after(stages, scores)
    for arms, followers in ((ARMS, ()), (ARMS[:1], (subset, file))):
        stale = {scores: ["all"], subset: arms, file: arms}
        work = with_followers(Work((scores,)), later, stale, made=())
        assert work.assets == (scores, *followers)
        assert work.partitions == (tuple(arms) if followers else ())


def test_what_reads_what_another_run_makes_waits_for_it(stages):
    embeddings, leaks = of("target_embeddings", "target_leaks")
    other = "shelf/mean/corpus_embeddings"
    later = after(stages, embeddings)
    stale = {leaks: [*SOURCES], other: [*SOURCES]}
    assert with_followers(Work((embeddings,)), later, stale, made=()).assets == (embeddings,)
    stale.pop(other)
    assert with_followers(Work((embeddings,)), later, stale, made=()).assets == (embeddings, leaks)


def up_to(project: Project, asset: str) -> tuple[list[Work], int]:
    with project.instance() as instance:
        before = instance.get_runs_count()
        study = load_study(NAME)
        done = refresh(study, project.definitions, project.ledger, instance, up_to=asset)
        return done, instance.get_runs_count() - before


@pytest.mark.study
def test_a_study_takes_fewer_runs_than_it_has_levels_and_comes_to_the_same(
    fresh_smallest, finished_smallest
):
    done, runs = up_to(fresh_smallest, "ot_scores")
    assert runs <= 5
    assert up_to(fresh_smallest, "ot_scores") == ([], 0)
    made = fresh_smallest.ledger.current_data_versions()
    assert {step for work in done for step in work.steps} == made.keys()
    undisturbed = Project(finished_smallest).ledger.current_data_versions()
    same = {step for step in made if "budget_plan" not in step[0]}  # that has measured rates
    assert {step: made[step] for step in same} == {step: undisturbed[step] for step in same}


@pytest.mark.study
def test_a_step_that_fails_leaves_those_after_it_to_later_runs(fresh_smallest):
    (fresh_smallest.root / "drop/bad.jsonl").write_text("no JSON\n")
    with pytest.raises(SourcesFailed, match=r"raw_corpus \[bad\] failed") as stopped:
        up_to(fresh_smallest, "ot_scores")
    done = [step for work in stopped.value.done for step in work.steps]
    assert len(done) == len(set(done))
    assert set(done) == fresh_smallest.ledger.current_data_versions().keys()
    assert {key for asset, key in done if asset == f"{NAME}/ot_scores"} == set(SOURCES)
