"""What the options of optimal transport promise, through the assets of a real study."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import Project, enter
from smallest_study import write_model, write_smallest_project

from selection_assets.keys import arm_key
from selection_assets.refresh import refresh
from selection_assets.studies import load_studies

STUDY = "studies/least.yaml"


def change_study(project: Project, **fields) -> None:
    path = project.root / STUDY
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | fields))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose `ot` uses its options, run once."""
    folder = tmp_path_factory.mktemp("ot_options")
    project = write_smallest_project(folder / "project", model=write_model(folder / "model"))
    for entered in enter(project):
        change_study(entered, methods={"random": None, "ot": {"nearest_sources": 1}})
        with entered.instance() as instance:
            study = load_studies()["least"]
            assert refresh(study, entered.definitions, entered.ledger, instance)
    return project.root


@pytest.fixture
def finished(root: Path) -> Iterator[Project]:
    yield from enter(Project(root))


def test_rows_of_a_far_source_are_never_selected_and_their_verdict_says_so(finished: Project):
    facts = finished.ledger.current("least/ot_potentials", "all").json("facts.json")
    [kept] = facts["kept_sources"]
    subset = finished.ledger.current("least/selected_subset", arm_key("ot", "40pct"))
    verdicts = subset.table("verdicts.parquet").to_pylist()
    far = {row["verdict"] for row in verdicts if row["source"] != kept}
    assert far == {"far_source"}
    near = {row["verdict"] for row in verdicts if row["source"] == kept}
    assert "selected" in near and "far_source" not in near
    assert set(subset.table("subset.parquet")["source"].to_pylist()) == {kept}


def test_random_still_draws_from_every_source(finished: Project):
    subset = finished.ledger.current("least/selected_subset", arm_key("random", "40pct"))
    assert len(set(subset.table("subset.parquet")["source"].to_pylist())) == 2
