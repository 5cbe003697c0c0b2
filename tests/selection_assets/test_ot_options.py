"""What the options of optimal transport promise, through the assets of a real study."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_project import Project, docstring_lines, enter
from smallest_study import SPLITS

from selection.config.files import ConfigurationError
from selection.embedding.embedder import encode, load_embedder
from selection_assets.refresh.refresh import refresh
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_study

pytestmark = pytest.mark.study

STUDY = "studies/least.yaml"
CONTRAST = {
    "kind": "files",
    "path": "contrast.jsonl",
    "columns": {"label": None, "split": "split"},
    "splits": SPLITS,
}


def change_study(project: Project, **fields) -> None:
    path = project.root / STUDY
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | fields))


@pytest.fixture(scope="module")
def root(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose `ot` uses its options, and has selected its rows."""
    folder = tmp_path_factory.mktemp("ot_options")
    project = Project(Path(shutil.copytree(fresh, folder / "project")))
    for entered in enter(project):
        lines = docstring_lines("logging").splitlines()[: sum(SPLITS.values())]
        splits = [split for split, count in SPLITS.items() for _ in range(count)]
        (entered.root / "contrast.jsonl").write_text(
            "".join(
                json.dumps({**json.loads(line), "split": split}) + "\n"
                for line, split in zip(lines, splits, strict=True)
            )
        )
        change_study(
            entered,
            methods={"random": None, "ot": {"nearest_sources": 1, "contrast_weight": 1.0}},
            contrast=CONTRAST,
            embedder={
                "name": "tuned",
                "model": {"kind": "sentence_transformer", "model": "model", "max_tokens": 16},
                "tuning": {"epochs": 2, "learning_rate": 0.01, "batch_size": 8},
            },
        )
        with entered.instance() as instance:
            study = load_study("least")
            assert refresh(
                study, entered.definitions, entered.ledger, instance, up_to="selected_subset"
            )
    return project.root


@pytest.fixture
def finished(root: Path) -> Iterator[Project]:
    yield from enter(Project(root))


def test_rows_of_a_far_source_are_never_selected_and_their_fate_says_so(finished: Project):
    facts = finished.ledger.current("least/ot_potentials", "all").json("facts.json")
    [kept] = facts["kept_sources"]
    subset = finished.ledger.current("least/selected_subset", arm_key("ot", "40pct"))
    fates = subset.table("fates.parquet").to_pylist()
    far = {row["fate"] for row in fates if row["source"] != kept}
    assert far == {"far_source"}
    near = {row["fate"] for row in fates if row["source"] == kept}
    assert "selected" in near and "far_source" not in near
    assert set(subset.table("subset.parquet")["source"].to_pylist()) == {kept}


def test_random_still_draws_from_every_source(finished: Project):
    subset = finished.ledger.current("least/selected_subset", arm_key("random", "40pct"))
    assert len(set(subset.table("subset.parquet")["source"].to_pylist())) == 2


def test_the_contrast_steers_by_its_dev_split_and_leaves_a_receipt(finished: Project):
    ledger = finished.ledger
    contrast = ledger.current("least/contrast_examples", "all").table("rows.parquet").to_pylist()
    dev = [i for i, row in enumerate(contrast) if row["split"] == "dev"]
    fitted = ledger.current("least/ot_potentials", "all").arrays("fitted.safetensors")
    vectors = ledger.current("least/contrast_embeddings", "all").array("vectors.npy")
    np.testing.assert_array_equal(fitted["contrast_embeddings"], vectors[dev])
    scores = ledger.current("least/ot_scores", "asyncio").table("scores.parquet")
    assert np.isfinite(scores["contrast_potential"].to_numpy()).all()


def test_the_plan_foresees_what_the_options_spend(finished: Project):
    [arm] = [
        arm
        for arm in finished.ledger.current("least/budget_plan", "all").json("plan.json")["arms"]
        if arm["method"] == "ot"
    ]
    ot = finished.ledger.current("least/ot_potentials", "all").json("facts.json")
    assert arm["selection_flops"] > ot["sources_flops"] + ot["contrast_solve_flops"]


def test_a_contrast_and_its_weight_need_each_other(root: Path, tmp_path: Path):
    shutil.copytree(root, tmp_path / "project")
    for project in enter(Project(tmp_path / "project")):
        change_study(project, contrast=None)
        with pytest.raises(
            ConfigurationError, match=r"least.yaml: field contrast .*add `contrast`"
        ):
            load_study("least")
        change_study(project, methods={"random": None}, contrast=CONTRAST)
        with pytest.raises(ConfigurationError, match=r"field contrast .*no method weighs it"):
            load_study("least")


def test_a_tuned_embedder_embeds_the_pool_and_the_plan_charges_for_it(finished: Project):
    embedder = finished.ledger.current("shelf/tuned/embedder", "all")
    tuning = embedder.json("tuning.json")
    assert tuning["losses"][1] < tuning["losses"][0] and tuning["flops"] > 0
    plan = finished.ledger.current("least/budget_plan", "all").json("plan.json")
    assert plan["pool"]["tuning_flops"] == tuning["flops"]
    texts = finished.ledger.current("shelf/raw_corpus", "email").table("rows.parquet")["text"]
    encoded = encode(load_embedder(embedder.path("embedder")), texts.to_pylist())
    stored = finished.ledger.current("shelf/tuned/corpus_embeddings", "email").array("vectors.npy")
    np.testing.assert_allclose(stored, encoded.vectors, atol=2e-3)


def test_two_studies_cannot_share_a_tuned_embedder(root: Path, tmp_path: Path):
    shutil.copytree(root, tmp_path / "project")
    for project in enter(Project(tmp_path / "project")):
        other = yaml.safe_load((project.root / STUDY).read_text()) | {"name": "other"}
        (project.root / "studies/other.yaml").write_text(yaml.safe_dump(other))
        with pytest.raises(
            ConfigurationError, match=r"field embedder\.name: 'tuned'.*one study only"
        ):
            load_study("other")
