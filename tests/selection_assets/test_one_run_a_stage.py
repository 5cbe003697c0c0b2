"""A refresh of many sources leaves a handful of runs, and one that was killed goes on."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from small_project import Project, enter
from smallest_study import NAME, SOURCES
from tiny_project import drop

from selection_assets.refresh.refresh import SourcesFailed, refresh
from selection_assets.refresh.work import Work, bring_together
from selection_assets.stage.asked import MOST_PARTITIONS
from selection_assets.studies import load_study

CORPUS = "shelf/raw_corpus"
NEW = [f"new_{number:02}" for number in range(10)]
REFRESH = """
import sys
import dagster as dg
from selection_assets.definitions import build_definitions
from selection_assets.refresh.refresh import refresh
from selection_assets.studies import load_study
from resources.workspace import Workspace

with dg.DagsterInstance.get() as instance:
    study = load_study(sys.argv[1])
    refresh(study, build_definitions(), Workspace().ledger, instance, up_to=sys.argv[2])
"""
BY_THREES = f"""
from math import inf
from selection_assets.stage import waiting

waiting.AT_MOST, waiting.SECONDS = 3, inf
{REFRESH}"""


@pytest.fixture
def grown(finished_smallest: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest project after one run, its pool then grown to a dozen sources."""
    for project in enter(Project(Path(shutil.copytree(finished_smallest, tmp_path / "project")))):
        for name in NEW:
            drop(project, f"{name}.jsonl", f"What there is to say about {name}.")
        yield project


def up_to(project: Project, asset: str) -> list[Work]:
    with project.instance() as instance:
        study = load_study(NAME)
        return refresh(study, project.definitions, project.ledger, instance, up_to=asset)


def runs(project: Project) -> list[dg.DagsterRun]:
    with project.instance() as instance:
        return list(instance.get_runs())


def test_a_dozen_sources_take_a_handful_of_runs_up_to_their_scores(grown, figures):
    before = len(runs(grown))
    done = Counter(asset for work in up_to(grown, "ot_scores") for asset, _ in work.steps)
    assert done[CORPUS] == len(NEW)
    assert done[f"{NAME}/ot_scores"] == len(SOURCES) + len(NEW)
    taken = len(runs(grown)) - before
    assert taken <= 8
    assert up_to(grown, "ot_scores") == []
    figures.record("P4", partitions_made_in_shared_runs=sum(done.values()))


def test_bad_sources_among_many_are_left_out_of_every_run_after(grown):
    bad = NEW[3], NEW[7]
    for name in bad:
        (grown.root / f"drop/{name}.jsonl").write_text("no JSON\n")
    with pytest.raises(SourcesFailed) as stopped:
        up_to(grown, "ot_scores")
    for name in bad:
        assert f"raw_corpus [{name}] failed:\n{CORPUS} fails its check" in str(stopped.value)
    done = {step for work in stopped.value.done for step in work.steps}
    good = {*SOURCES, *NEW} - {*bad}
    assert {name for asset, name in done if asset == f"{NAME}/ot_scores"} == good
    assert set(grown.ledger.current_versions(CORPUS)) == good
    with grown.instance() as instance:
        assert set(instance.get_dynamic_partitions("shelf_source")) == good


def test_a_refresh_that_was_killed_among_many_partitions_goes_on_with_the_rest(
    zygote, grown, figures
):
    killed = zygote.start(
        grown, NAME, "raw_corpus", script=BY_THREES, SELECTION_CRASH_AT="after_ledger:2"
    )
    killed.die()
    survived = grown.ledger.current_versions(CORPUS)
    assert len(survived) == len(SOURCES) + 2 * 3
    work = up_to(grown, "raw_corpus")
    made = {name for one in work for asset, name in one.steps if asset == CORPUS}
    assert made == {*NEW} - survived.keys()
    after = grown.ledger.current_versions(CORPUS)
    assert {name: after[name] for name in survived} == survived
    figures.record("P1", runs_of_many_killed=1)


def test_runs_are_of_so_many_partitions_at_most_and_lack_none():
    sources = [f"source_{number}" for number in range(2 * MOST_PARTITIONS + 1)]
    stale = {"a": sources, "b": sources, "c": sources[1:], "d": ["all"], "arm": ["x|y", "x|z"]}
    work = list(bring_together(stale, {"a", "b", "c"}))
    assert max(len(one.partitions) for one in work) == MOST_PARTITIONS
    steps = Counter(step for one in work for step in one.steps)
    assert steps == Counter((asset, key) for asset, keys in stale.items() for key in keys)
    assert [one.assets for one in work].count(("a", "b")) == 3
    assert [one.partitions for one in work if one.assets == ("arm",)] == [("x|y",), ("x|z",)]
    assert Work(("d",)) in work
