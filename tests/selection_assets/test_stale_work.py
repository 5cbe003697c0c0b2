"""What runs again after a change, and what does not, on a finished study."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
import yaml
from small_project import SOURCES, Project, enter

from resources.dead_runs import clear_dead_runs
from resources.store.artifacts import UNPARTITIONED
from selection.config.study import Study
from selection_assets.graph import pool_stages, study_stages
from selection_assets.stage.asked import FORCE_TAG
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_pools

BASE = {"library/tiny/base_tokenizer", "library/tiny/base_checkpoint"}
CORPUS, EMBEDDINGS = "library/raw_corpus", "library/static/corpus_embeddings"
SOURCE = "asyncio"
TRAIN = """
import sys
import dagster as dg
from selection_assets.definitions import build_definitions

job = build_definitions().resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(
        asset_selection=[dg.AssetKey.from_user_string(sys.argv[1])],
        partition_key=sys.argv[2],
        instance=instance,
        tags={sys.argv[3]: "yes"},
    )
"""


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished project, to be changed."""
    shutil.copytree(finished_root, tmp_path / "project")
    yield from enter(Project(tmp_path / "project"))


def materialize(
    project: Project, assets: list[str], partition: str, **tags: str
) -> dg.ExecuteInProcessResult:
    job = project.definitions.resolve_implicit_global_asset_job_def()
    with project.instance() as instance:
        return job.execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            partition_key=partition,
            instance=instance,
            tags=tags,
            raise_on_error=False,
        )


def facts(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [made] = result.asset_materializations_for_node(asset.replace("/", "__"))
    return {name: entry.value for name, entry in made.metadata.items()}


def vectors_by_row(project: Project) -> dict[str, np.ndarray]:
    artifact = project.ledger.current(EMBEDDINGS, SOURCE)
    ids = artifact.table("rows.parquet")["row_id"].to_pylist()
    return dict(zip(ids, artifact.array("vectors.npy"), strict=True))


def drop_file(project: Project) -> Path:
    return project.root / f"drop/{SOURCE}.jsonl"


CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "an option of ot": (
        {"methods": {"random": {}, "length": {}, "embedding": {}, "ot": {"eps_rel": 0.01}}},
        {"small/budget_plan", "small/ot_potentials", "small/ot_scores"},
    ),
    "the seeds": (
        {"seeds": [0, 2]},
        {
            *("small/budget_plan", "small/random_scores", "small/finetuned_checkpoint"),
            *("small/reference_report", "small/eval_report"),
        },
    ),
    "the seed of the full-data line": (
        {"full_data_seeds": [1]},
        {"small/budget_plan", "small/reference_report"},
    ),
    "another budget": ({"budgets": [0.1, 0.2, 0.3]}, {"small/budget_plan"}),
    # The plan reads the cap that the ledger enforces, as it reads its inputs.
    "the cap": ({"cap": {"flops": 1e15}}, set()),
    "near duplicates": (
        {"selection": {"near_duplicate_cosine": 0.9}},
        {"small/selected_subset"},
    ),
    "the warm-up": (
        {"warm_up": {"epochs": 2}},
        {"small/budget_plan", "small/finetuned_checkpoint", "small/reference_report"},
    ),
    "the fine-tuning": (
        {"fine_tuning": {"epochs": 1}},
        {"small/budget_plan", "small/finetuned_checkpoint", "small/reference_report"},
    ),
    "the evaluation": (
        {"evaluation": {"n_resamples": 500}},
        {"small/reference_report", "small/eval_report", "small/pareto_frontier"},
    ),
}
"""A change of the study, and the assets that it makes stale before anything upstream changes."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_study_makes_exactly_these_assets_stale(finished, change, figures):
    fields, expected = CHANGES[change]
    study = Study.model_validate(finished.study.model_dump(mode="json") | fields)
    stages = [*pool_stages(load_pools()["library"], [study]), *study_stages(study)]
    versions = {stage.name: stage.code_version for stage in stages}
    identities = finished.ledger.current_identities()
    assert {asset for asset, _ in identities} == set(versions)
    stale = {a for (a, _), identity in identities.items() if identity.code_version != versions[a]}
    assert stale == expected
    figures.record("P5", changes_tried=1, versions_looked_at=len(identities))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"width": 48}, {*BASE, "small/budget_plan"}),
        ({"seed": 1}, {*BASE, "small/budget_plan"}),
        ({"training": {"epochs": 2}}, {"library/tiny/base_checkpoint", "small/budget_plan"}),
    ],
)
def test_a_change_of_the_base_model_makes_exactly_these_assets_stale(
    finished, fields, expected, figures
):
    content = finished.study.model_dump(mode="json")
    study = Study.model_validate(content | {"base_model": content["base_model"] | fields})
    stages = [*pool_stages(load_pools()["library"], [study]), *study_stages(study)]
    versions = {stage.name: stage.code_version for stage in stages}
    identities = finished.ledger.current_identities()
    stale = {
        asset
        for (asset, _), identity in identities.items()
        if asset in versions and identity.code_version != versions[asset]
    }
    assert stale == expected
    figures.record("P5", changes_tried=1, versions_looked_at=len(identities))


def test_a_project_that_moved_reads_its_files_again_and_recomputes_nothing(copied):
    read = {step for work in copied.refresh() for step in work.steps}
    assert read <= {(CORPUS, source) for source in SOURCES}
    assert copied.refresh() == []


@pytest.mark.slow
def test_a_changed_option_of_ot_runs_its_arms_again_and_trains_no_others(copied):
    copied.refresh()
    path = copied.root / "studies/small.yaml"
    content = yaml.safe_load(path.read_text())
    content["methods"]["ot"] = {"eps_rel": 0.01}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    methods, budgets = copied.study.named_methods, copied.study.budgets
    others = {arm_key(name, b.key) for name in methods for b in budgets if name != "ot"}
    arms = {arm_key("ot", budget.key) for budget in budgets}
    before = copied.ledger.current_data_versions()
    done = {step for work in copied.refresh() for step in work.steps}
    # It costs more, so the plan is another one, and every subset is chosen by it anew.
    rechosen = {("small/selected_subset", arm) for arm in others}
    assert done == rechosen | {
        ("small/budget_plan", UNPARTITIONED),
        ("small/ot_potentials", UNPARTITIONED),
        *(("small/ot_scores", source) for source in SOURCES),
        *(("small/selected_subset", arm) for arm in arms),
        *(("small/training_file", arm) for arm in arms),
        *(("small/finetuned_checkpoint", arm) for arm in arms),
        *(("small/eval_report", arm) for arm in arms),
        ("small/pareto_frontier", UNPARTITIONED),
    }
    after = copied.ledger.current_data_versions()
    assert all(after[subset] == before[subset] for subset in rechosen)
    assert copied.refresh() == []


def test_one_changed_row_is_the_only_one_embedded_again(copied):
    before = vectors_by_row(copied)
    lines = drop_file(copied).read_text().splitlines()
    lines[0] = json.dumps({"text": "A sentence that nobody has put into a docstring before."})
    drop_file(copied).write_text("\n".join(lines) + "\n")
    result = materialize(copied, [CORPUS, EMBEDDINGS], SOURCE)
    assert result.success
    shown, after = facts(result, EMBEDDINGS), vectors_by_row(copied)
    assert shown["rows_embedded_now"] == 1
    assert shown["rows_reused"] == len(after) - 1
    assert len(after.keys() - before.keys()) == 1
    for row in after.keys() & before.keys():
        np.testing.assert_array_equal(after[row], before[row])


def test_a_row_of_words_that_the_embedder_does_not_know_is_set_aside(copied):
    known = set(vectors_by_row(copied))
    with drop_file(copied).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": "\N{EGYPTIAN HIEROGLYPH A001} " * 8}) + "\n")
    result = materialize(copied, [CORPUS, EMBEDDINGS], SOURCE)
    assert result.success
    assert set(vectors_by_row(copied)) == known
    artifact = copied.ledger.current(EMBEDDINGS, SOURCE)
    [row] = artifact.table("quarantine.parquet").to_pylist()
    assert row["reason"].startswith("zero vector")
    assert row["row_id"] not in known
    assert all(np.linalg.norm(v.astype(float)) > 0.9 for v in vectors_by_row(copied).values())


def test_too_many_bad_rows_keep_the_earlier_version_and_stop_what_comes_after(copied):
    before = {name: copied.ledger.current(name, SOURCE) for name in (CORPUS, EMBEDDINGS)}
    good = drop_file(copied).read_text()
    drop_file(copied).write_text(good + "this is not JSON\n" * len(good.splitlines()))
    result = materialize(copied, [CORPUS, EMBEDDINGS], SOURCE)
    assert not result.success
    assert not result.asset_materializations_for_node(EMBEDDINGS.replace("/", "__"))
    failed = {c.check_name: c for c in result.get_asset_check_evaluations() if not c.passed}
    assert set(failed) == {"quarantine_share"}
    assert failed["quarantine_share"].metadata["share"].value == pytest.approx(0.5, abs=0.05)
    for name, artifact in before.items():
        assert copied.ledger.current(name, SOURCE) == artifact
    drop_file(copied).write_text(good)
    assert materialize(copied, [CORPUS, EMBEDDINGS], SOURCE).success


def test_a_training_killed_between_its_seeds_ends_in_the_same_checkpoint(zygote, copied):
    asset, arm = "small/finetuned_checkpoint", arm_key("ot", "30pct")
    undisturbed = copied.ledger.current(asset, arm)
    work = copied.workspace.folder / "artifacts/.work"
    training = zygote.start(copied, asset, arm, FORCE_TAG, script=TRAIN)
    while training.is_alive() and not list(work.glob("*/seed_0.json")):
        time.sleep(0.02)
    training.kill()
    training.die()
    assert copied.ledger.current(asset, arm) == undisturbed
    assert list(work.glob("*/seed_0.json"))

    # Without this the dead run would hold the gpu pool, and the next step wait for it for ever.
    with copied.instance() as instance:
        dead, lost = clear_dead_runs(instance, copied.ledger.spending)
    assert len(dead) == lost == 1
    result = materialize(copied, [asset], arm, **{FORCE_TAG: "yes"})
    assert result.success
    assert copied.ledger.current(asset, arm) == undisturbed
    assert not list(work.glob("*/seed_0.json"))
