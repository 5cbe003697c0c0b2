"""What counts no FLOPs takes time, and a cap in hours or money sees it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from small_project import STUDY, Project, enter
from tiny_project import SOURCES, materialize, write_tiny_project
from toy_stages import Toy, failure

from resources.project import ROOT_VARIABLE
from selection.budget.amounts import SECONDS_AN_HOUR, Amount, Cap
from selection_assets.stage.step import FIRST_SECONDS

INDEX, EMBEDDER = "library/bm25_index", "library/static/embedder"
CORPUS = "library/raw_corpus"


@pytest.fixture(scope="module")
def read_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool that two studies select from by BM25, read and indexed."""
    root = tmp_path_factory.mktemp("read") / "project"
    write_tiny_project(root)
    study = yaml.safe_load(STUDY) | {"methods": {"random": {}, "bm25": {}}}
    for name in ("small", "other"):
        (root / f"studies/{name}.yaml").write_text(yaml.safe_dump(study | {"name": name}))
    for project in enter(Project(root)):
        with project.instance() as instance:
            instance.add_dynamic_partitions("library_source", list(SOURCES))
            for source in SOURCES:
                made(project, instance, CORPUS, source)
            made(project, instance, INDEX)
    return root


@pytest.fixture
def read(read_root: Path, tmp_path: Path) -> Iterator[Project]:
    yield from enter(Project(Path(shutil.copytree(read_root, tmp_path / "project"))))


def made(project: Project, instance: dg.DagsterInstance, asset: str, partition=None) -> None:
    key = dg.AssetKey.from_user_string(asset)
    assert materialize(project.definitions, instance, key, partition).success


def test_reading_and_indexing_are_charged_in_seconds_to_the_studies_that_use_them(read):
    rows = read.ledger.query(
        "SELECT asset, state, device, flops, device_seconds AS seconds FROM spend ORDER BY asset"
    )
    assert [row["asset"] for row in rows] == [INDEX, CORPUS, CORPUS]
    for row in rows:
        assert row["seconds"] > 0 and row["flops"] == 0 and row["state"] == "settled"
        assert re.fullmatch(r"CPU, \d+ threads", row["device"])
    whole = sum(row["seconds"] for row in rows)
    for study in ("small", "other"):
        stands = read.ledger.spending.standing(study, Cap("device_hours", 1.0))
        assert stands.settled.seconds == pytest.approx(whole / 2)
        assert stands.settled.flops == 0
    assert read.ledger.verify() == []


@pytest.mark.parametrize("left", [0.5, 1.5])
def test_a_cap_in_hours_admits_the_next_step_or_not_by_what_they_took(read, left):
    """It may just hold for another step beside what reading took, or just not."""
    spending = read.ledger.spending
    took = spending.standing("small", Cap("device_hours", 1.0)).settled.seconds
    cap = Cap("device_hours", (FIRST_SECONDS / 2 + left * took) / SECONDS_AN_HOUR)
    spending.raise_cap("small", cap, actor="me", reason="a test")
    admits = spending.standing("small").admits(Amount(seconds=FIRST_SECONDS / 2))
    assert admits == (left > 1)
    if admits:
        return
    with read.instance() as instance:
        key = dg.AssetKey.from_user_string(EMBEDDER)
        result = materialize(read.definitions, instance, key)
    assert not result.success
    assert (
        f"{EMBEDDER} [all] was not started"
        in read.ledger.spending.refusals("library")[EMBEDDER, "all"]
    )


def test_a_cap_in_money_counts_them_at_the_price_of_the_device(tmp_path):
    project = write_tiny_project(tmp_path / "project")
    study = yaml.safe_load(STUDY) | {"usd_per_device_hour": 3600.0, "cap": {"usd": 1e6}}
    (project.root / "studies/small.yaml").write_text(yaml.safe_dump(study))
    for entered in enter(project):
        with entered.instance() as instance:
            instance.add_dynamic_partitions("library_source", list(SOURCES))
            made(entered, instance, CORPUS, SOURCES[0])
        [row] = entered.ledger.query("SELECT usd, device_seconds AS seconds FROM spend")
        assert row["usd"] == pytest.approx(row["seconds"])


def test_a_free_step_that_fails_is_charged_with_the_seconds_that_it_took(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    toy = Toy(tmp_path)
    toy.file.write_text("no numbers")
    assert "JSONDecodeError" in failure(toy.run(toy.numbers()))
    [row] = toy.ledger.query("SELECT state, flops, device_seconds > 0 AS took FROM spend")
    assert row == {"state": "lost", "flops": 0.0, "took": True}
    assert toy.ledger.verify() == []
