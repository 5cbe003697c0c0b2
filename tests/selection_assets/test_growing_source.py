"""What a method has computed of a source's rows is kept when the source changes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from small_project import SELECTOR, Project, enter

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection_assets.refresh.refresh import refresh
from selection_assets.shared.preparations import preparation_key
from selection_assets.studies import load_studies

SOURCE, OTHER = "asyncio", "email"
# What is added to the source then leaves the selector as it is.
WITHOUT_SOURCE = SELECTOR | {"exclude_sources": [SOURCE]}
METHODS = {
    "random": {},
    # Not tuned on the target, to save time.
    "perplexity_mid": {"method": "perplexity", "epochs": 0},
    "gradient": {"dimensions": 32, "checkpoints": 1, "lora_rank": 2},
}


@pytest.fixture(scope="module")
def selected(finished_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished project with a study whose methods read the pool with a model."""
    folder = tmp_path_factory.mktemp("read")
    root = Path(shutil.copytree(finished_root, folder / "project"))
    study = yaml.safe_load((root / "studies/small.yaml").read_text())
    content = study | {
        "name": "read",
        "selector": WITHOUT_SOURCE,
        "methods": METHODS,
        "budgets": [0.7],
    }
    (root / "studies/read.yaml").write_text(yaml.safe_dump(content))
    for project in enter(Project(root)):
        select(project)
    return root


@pytest.fixture
def grown(selected: Path, tmp_path: Path) -> Iterator[Project]:
    """That project in a place of its own, to be changed."""
    yield from enter(Project(Path(shutil.copytree(selected, tmp_path / "project"))))


def select(project: Project) -> None:
    with project.instance() as instance:
        study = load_studies()["read"]
        refresh(study, project.definitions, project.ledger, instance, up_to="selected_subset")


def row_by_row(study: Study) -> dict[str, str]:
    """File of the method's figures, by the asset that holds them."""
    files = {"perplexities": "nll.npy", "gradient_store": "gradients.npy"}
    return {
        preparation_key(study, named, p).to_user_string(): files[p.asset]
        for named in study.named_methods.values()
        for p in named.preparations
        if p.row_by_row
    }


def current(project: Project, asset: str, source: str = SOURCE) -> Artifact:
    found = project.ledger.current(asset, source)
    assert found is not None, asset
    return found


def values(artifact: Artifact, file: str) -> dict[str, np.ndarray]:
    ids = artifact.table("rows.parquet")["row_id"].to_pylist()
    return dict(zip(ids, np.array(artifact.array(file)), strict=True))


def last_spend(project: Project, asset: str) -> dict[str, Any]:
    [spent, *_] = project.ledger.query(
        "SELECT flops, planned_flops FROM spend WHERE asset = ? AND partition = ?"
        " ORDER BY ended_at DESC",
        [asset, SOURCE],
    )
    return spent


def test_only_a_new_row_is_read_and_paid_for(grown):
    files = row_by_row(load_studies()["read"])
    assert len(files) == 2
    before = {asset: values(current(grown, asset), file) for asset, file in files.items()}
    dearest = {asset: last_spend(grown, asset)["flops"] for asset in files}
    # Two rows, one of which another source has: that one is known, too.
    [known] = (grown.root / f"drop/{OTHER}.jsonl").read_text().splitlines()[:1]
    new = json.dumps({"text": "A sentence that nobody has put into a docstring before."})
    with (grown.root / f"drop/{SOURCE}.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{known}\n{new}\n")
    select(grown)
    for asset, file in files.items():
        after = values(current(grown, asset), file)
        assert len(after) == len(before[asset]) + 2
        for row, value in before[asset].items():
            np.testing.assert_array_equal(after[row], value)
        elsewhere = values(current(grown, asset, OTHER), file)
        [shared] = (after.keys() - before[asset].keys()) & elsewhere.keys()
        np.testing.assert_array_equal(after[shared], elsewhere[shared])
        spent = last_spend(grown, asset)
        assert 0 < spent["flops"] < dearest[asset] / 20
        assert spent["flops"] == pytest.approx(spent["planned_flops"], rel=0.05)


@pytest.mark.slow
def test_another_model_reads_every_row_again(grown):
    files = row_by_row(load_studies()["read"])
    before = {asset: values(current(grown, asset), file) for asset, file in files.items()}
    study = yaml.safe_load((grown.root / "studies/read.yaml").read_text())
    study["selector"]["seed"] = 1
    (grown.root / "studies/read.yaml").write_text(yaml.safe_dump(study))
    select(grown)
    for asset, file in files.items():
        after = values(current(grown, asset), file)
        assert after.keys() == before[asset].keys()
        assert all((after[row] != before[asset][row]).any() for row in after)
