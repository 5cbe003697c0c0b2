"""`selection run STUDY --up-to ASSET`: stop there, and say what there is."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import selection
from small_project import Project, enter
from smallest_study import NAME


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


def made(project: Project) -> set[str]:
    return {row["asset"] for row in project.ledger.query("SELECT asset FROM current_version")}


def test_a_study_stops_at_its_subsets_and_goes_on_from_there(project):
    dry = selection("run", NAME, "--dry-run", "--up-to", "selected_subset")
    assert "would materialize first" in dry.stdout and not made(project)
    result = selection("run", NAME, "--up-to", "selected_subset")
    assert result.exit_code == 0, result.output
    subsets = project.ledger.current_versions(f"{NAME}/selected_subset")
    assert subsets and all(str(one.folder) in result.stdout for one in subsets.values())
    assert f"{NAME}/budget_plan" in made(project)
    last = ("finetuned_checkpoint", "eval_report", "reference_report", "pareto_frontier")
    assert not made(project) & {f"{NAME}/{asset}" for asset in last}
    assert "`selection run least` goes on from here" in result.stdout
    again = selection("run", NAME, "--up-to", "selected_subset")
    assert "nothing had changed: nothing recomputed" in again.stdout
    trained = selection("run", NAME, "--up-to", "finetuned_checkpoint")
    assert trained.exit_code == 0 and f"{NAME}/finetuned_checkpoint" in made(project)
    assert "selected_subset" not in trained.stdout.partition("recomputed ")[2].partition("\n")[0]


def test_an_asset_of_the_pool_comes_with_the_plan_and_nothing_else(project):
    result = selection("run", NAME, "--up-to", "raw_corpus")
    assert result.exit_code == 0, result.output
    assert {"shelf/raw_corpus", f"{NAME}/budget_plan"} <= made(project)
    assert f"{NAME}/selected_subset" not in made(project)


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_an_asset_that_there_is_not_is_refused_with_those_that_there_are(project, options):
    result = selection("run", NAME, "--up-to", "selected", *options)
    assert result.exit_code == 1
    assert "study least has no asset 'selected'; it has raw_corpus, " in result.stderr
    assert "selected_subset" in result.stderr and not made(project)
