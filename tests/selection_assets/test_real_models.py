"""A hub's model at a pinned commit through the whole pipeline, offline: LoRA, and tasks."""

import json
import shutil
import textwrap
from collections.abc import Iterator
from math import ceil, isclose
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from dagster_homes import write_dagster_home
from real_processes import Child, run
from small_project import STUDY, Project, docstring_lines, enter

from selection.config.files import ConfigurationError
from selection.models.base import (
    load_model,
    load_tokenizer,
    new_model,
    save_checkpoint,
    tiny_config,
)
from selection.models.checkpoints import weights_digest
from selection.models.harness import run_harness
from selection.models.harness_tasks import HarnessTasks
from selection.models.tokenizer import count_tokens, train_tokenizer
from selection_assets.refresh.refresh import refresh
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_studies

MODEL, COMMIT = "some-lab/small-model", "0123456789abcdef0123456789abcdef01234567"
SOURCES = ("asyncio", "email")
ROWS = 120  # of each source: the files of weights matter here, not how much is trained
WIDTH, LAYERS, FFN, LENGTH = 32, 2, 64, 64
WARM_UP_RANK, TUNING_RANK = 4, 2
RUN = """
import sys
from selection_assets.command.cli import console
console()
"""

TASK = """
task: fill_in
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{start}}"
doc_to_choice: ends
doc_to_target: 0
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 1}
"""


def texts(source: str) -> list[str]:
    return [json.loads(line)["text"] for line in docstring_lines(source).splitlines()]


def write_hub_cache(home: Path, files: Path) -> Path:
    """Lay a model folder into a hub cache as `snapshot_download` does; returns the snapshot."""
    repository = home / "hub" / f"models--{MODEL.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    for number, file in enumerate(sorted(files.iterdir())):
        blob = repository / "blobs" / f"{number:064x}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(Path("../../blobs") / blob.name)
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def write_tasks(folder: Path) -> None:
    """Which of four ends belongs to the start of a sentence of the target's kind."""
    folder.mkdir(parents=True)
    (folder / "fill_in.yaml").write_text(TASK)
    words = [text.split() for text in texts("http")[:20]]
    starts = [" ".join(w[:-3][-8:]) for w in words]
    ends = [" ".join(w[-3:]) for w in words]
    rows = [
        {"start": starts[i], "ends": [ends[(i + shift) % len(ends)] for shift in range(4)]}
        for i in range(len(words))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_studies(root: Path, snapshot: Path) -> None:
    common = yaml.safe_load(STUDY) | {
        "embedder": {"name": "minilm", "model": {"kind": "minilm"}},
        "methods": {"random": None, "length": None},
        "budgets": [0.4],
        "warm_up": {"lora_rank": WARM_UP_RANK, "learning_rate": 0.02},
        "fine_tuning": {"lora_rank": TUNING_RANK, "learning_rate": 0.02, "epochs": 2},
    }
    pretrained = {"kind": "pretrained", "sequence_length": LENGTH}
    studies = {
        "hub": {
            "base_model": pretrained | {"model": MODEL, "revision": COMMIT},
            "evaluation": {"harness": {"tasks": ["fill_in"], "include_path": "tasks"}},
        },
        "folder": {"base_model": pretrained | {"name": "local", "model": str(snapshot)}},
    }
    for name, changes in studies.items():
        text = yaml.safe_dump(common | {"name": name} | changes)
        (root / f"studies/{name}.yaml").write_text(text)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A model in the hub's files, its weights in several shards."""
    tokenizer = train_tokenizer(texts(SOURCES[0]), vocab_size=600)
    config = tiny_config(
        "llama",
        width=WIDTH,
        layers=LAYERS,
        heads=2,
        ffn_width=FFN,
        vocabulary=len(tokenizer),
        sequence_length=128,
    )
    folder = tmp_path_factory.mktemp("files") / "model"
    model = new_model(config, seed=11)
    save_checkpoint(model, tokenizer, folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    assert {"model.safetensors.index.json", "generation_config.json"} < {
        file.name for file in folder.iterdir()
    }
    return folder


@pytest.fixture(scope="module")
def ran(files, tmp_path_factory) -> SimpleNamespace:
    """Studies `hub` and `folder`, run by the command line in a process without a network."""
    root = tmp_path_factory.mktemp("real") / "project"
    for name in ("studies/pools", "drop", "dagster_home"):
        (root / name).mkdir(parents=True)
    write_dagster_home(root)
    pool = "name: library\nsources: [{kind: drop_folder, path: drop}]\n"
    (root / "studies/pools/library.yaml").write_text(textwrap.dedent(pool))
    for source in SOURCES:
        lines = docstring_lines(source).splitlines(keepends=True)[:ROWS]
        (root / f"drop/{source}.jsonl").write_text("".join(lines))
    write_tasks(root / "tasks")
    home = tmp_path_factory.mktemp("home")
    snapshot = write_hub_cache(home, files)
    write_studies(root, snapshot)
    offline = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    for _ in enter(Project(root)):
        printed = {name: run(RUN, "run", name, **offline) for name in ("hub", "folder")}
    return SimpleNamespace(root=root, snapshot=snapshot, offline=offline, printed=printed)


@pytest.fixture
def project(ran) -> Iterator[Project]:
    yield from enter(Project(ran.root))


def arms(project: Project, asset: str):
    return project.ledger.current_versions(asset).items()


def test_the_pinned_model_is_the_base_and_every_arm_learns(project, files, ran):
    fetched = project.ledger.current("library/pretrained/base_checkpoint", "all")
    assert weights_digest(load_model(fetched.path("checkpoint"))) == weights_digest(
        load_model(files)
    )
    frontier = project.ledger.current("hub/pareto_frontier", "all").json("frontier.json")
    assert {arm["method"] for arm in frontier["arms"]} == {"random", "length"}
    before = frontier["reference"]["zero_shot"]["loss"]
    assert all(arm["loss"] < before for arm in frontier["arms"])
    assert "recomputed" in ran.printed["hub"]


def test_a_snapshot_folder_gives_the_very_models_that_the_hub_id_gives(project):
    by_hub = dict(arms(project, "hub/finetuned_checkpoint"))
    by_folder = dict(arms(project, "folder/finetuned_checkpoint"))
    assert by_hub.keys() == by_folder.keys() == {arm_key(m, "40pct") for m in ("random", "length")}
    for key, checkpoint in by_hub.items():
        for seed in (0, 1):
            assert weights_digest(load_model(checkpoint.path(f"seed_{seed}"))) == weights_digest(
                load_model(by_folder[key].path(f"seed_{seed}"))
            )


def test_lora_changes_the_blocks_linear_layers_by_a_low_rank_and_nothing_else(project, files):
    base = load_model(files).state_dict()
    for _, checkpoint in arms(project, "hub/finetuned_checkpoint"):
        for seed in (0, 1):
            tuned = load_model(checkpoint.path(f"seed_{seed}")).state_dict()
            assert tuned.keys() == base.keys()
            for name, before in base.items():
                change = (tuned[name] - before).double()
                if "_proj." not in name:
                    assert not change.any(), name
                    continue
                singular = torch.linalg.svdvals(change)
                assert singular[0] > 1e-3, name
                # two phases, each merged in float32
                assert singular[WARM_UP_RANK + TUNING_RANK :].max() < 1e-4 * singular[0], name


def test_what_is_charged_is_one_forward_and_one_backward_of_frozen_weights(project, files):
    """Full training would cost three forwards a token, LoRA costs two."""
    tokenizer = load_tokenizer(files)
    a_layer = 8 * WIDTH**2 + 6 * WIDTH * FFN + 4 * LENGTH * WIDTH
    forward = LAYERS * a_layer + 4 * len(tokenizer) * WIDTH
    spent = {
        row["partition"]: row["flops"]
        for row in project.ledger.query(
            "SELECT partition, flops FROM spend WHERE asset = 'hub/finetuned_checkpoint'"
        )
    }
    for key, checkpoint in arms(project, "hub/finetuned_checkpoint"):
        subset = project.ledger.current("hub/selected_subset", key).table("subset.parquet")
        drawn = subset.to_pylist()
        draws = sorted({row["draw"] for row in drawn})
        seeds = checkpoint.json("training.json")["seeds"]
        for number, seed in enumerate(seeds):
            rows = [r["text"] for r in drawn if r["draw"] == draws[number % len(draws)]]
            tokens = ceil(count_tokens(tokenizer, rows).sum() / LENGTH) * LENGTH
            assert seed["warm_up_flops"] == pytest.approx(2 * forward * tokens)
            # padded to each batch's longest, so no less than its tokens
            assert seed["fine_tuning_flops"] >= 2 * forward * seed["fine_tuning_tokens"]
            assert seed["fine_tuning_flops"] < 3 * forward * seed["fine_tuning_tokens"]
        both = sum(seed["warm_up_flops"] + seed["fine_tuning_flops"] for seed in seeds)
        assert spent[key] == pytest.approx(both)


def test_reports_carry_each_seeds_figures_on_the_tasks(project):
    tasks = HarnessTasks(("fill_in",), project.root / "tasks")
    zero_shot = project.ledger.current("hub/reference_report", "zero_shot").json("report.json")
    assert len(zero_shot["harness"]["scores"]) == 2
    for key, report in arms(project, "hub/eval_report"):
        checkpoint = project.ledger.current("hub/finetuned_checkpoint", key)
        again = [
            run_harness(load_model(folder), load_tokenizer(folder), tasks, **options)
            for folder in (checkpoint.path(f"seed_{seed}") for seed in (0, 1))
            for options in [{"max_length": LENGTH, "device": "cpu"}]
        ]
        found = report.json("report.json")["after"]["harness"]
        assert found["harness_version"] == again[0].harness_version
        for number, score in enumerate(found["scores"]):
            values = [result.scores[number].value for result in again]
            assert (score["task"], score["n_samples"]) == ("fill_in", 20)
            assert score["by_seed"] == values
            assert score["mean"] == pytest.approx(sum(values) / 2)
        assert "fill_in" in report.path("report.md").read_text()


def test_the_plan_foresees_what_the_tasks_cost_and_the_report_is_charged_for_it(project):
    plain = {
        row["partition"]: row["flops"]
        for row in project.ledger.query(
            "SELECT partition, flops FROM spend WHERE asset = 'folder/eval_report'"
        )
    }
    spends = project.ledger.query(
        "SELECT asset, partition, flops, planned_flops FROM spend WHERE asset IN"
        " ('hub/eval_report', 'hub/reference_report')"
    )
    assert len(spends) == 2 + 3
    for row in spends:
        assert isclose(row["flops"], row["planned_flops"], rel_tol=1e-9), row
        if row["asset"] == "hub/eval_report":
            assert row["flops"] > plain[row["partition"]]


def test_changed_rows_of_a_task_are_evaluated_again_and_nothing_is_trained(ran, tmp_path):
    shutil.copytree(ran.root, tmp_path / "project")
    for project in enter(Project(tmp_path / "project")):
        rows = project.root / "tasks/rows.jsonl"
        rows.write_text("".join(f"{line}\n" for line in rows.read_text().splitlines()[:9]))
        with project.instance() as instance:
            done = refresh(load_studies()["hub"], project.definitions, project.ledger, instance)
        made = {asset for work in done for asset in work.assets}
        assert {"hub/eval_report", "hub/reference_report", "hub/pareto_frontier"} <= made
        assert not {"hub/finetuned_checkpoint", "library/pretrained/base_checkpoint"} & made
        for _, report in arms(project, "hub/eval_report"):
            scores = report.json("report.json")["after"]["harness"]["scores"]
            assert {score["n_samples"] for score in scores} == {9}


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12]])
def test_a_study_with_an_unpinned_hub_model_is_refused(ran, tmp_path, revision):
    shutil.copytree(ran.root / "studies", tmp_path / "studies")
    path = tmp_path / "studies/hub.yaml"
    study = yaml.safe_load(path.read_text())
    study["base_model"]["revision"] = revision
    path.write_text(yaml.safe_dump(study))
    for _ in enter(Project(tmp_path)):
        with pytest.raises(ConfigurationError, match=r"hub\.yaml.*base_model.*revision"):
            load_studies()


def test_a_revision_that_is_not_there_is_named_with_the_remedy(ran):
    wrong = "f" * 40
    child = Child(
        "import sys; from selection.models.base import load_model\n"
        "load_model(sys.argv[1], revision=sys.argv[2])",
        *(MODEL, wrong),
        **ran.offline,
    )
    child.wait()
    last = child.error_text().strip().splitlines()[-1]
    assert last.startswith("ValueError")
    assert wrong in last
    assert "HF_HUB_OFFLINE is set" in last
    assert "hf download" in last
    child.end(1)
