"""Studies of a hub's model at a pinned commit, run by the command line without a network."""

import json
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dagster_homes import write_dagster_home
from real_processes import run
from shared_builds import built_once
from small_project import STUDY, Project, docstring_lines, enter

from selection.models.base import (
    new_model,
    save_checkpoint,
    tiny_config,
)
from selection.models.tokenizer import train_tokenizer

NAMES = ("hub", "folder")
MODEL, COMMIT = "some-lab/small-model", "0123456789abcdef0123456789abcdef01234567"
NOT_THERE = "f" * 40
SOURCES = ("asyncio", "email")
ROWS = 70  # of each source: the files of weights matter here, not how much is trained
WIDTH, LAYERS, FFN, LENGTH = 32, 2, 64, 64
WARM_UP_RANK, TUNING_RANK = 4, 2
RUN = """
import sys
from zygote import import_everything
from selection_assets.command.cli import main

import_everything()
for study in sys.argv[1:]:
    main(["run", study], standalone_mode=False)
    print("\\f", end="", flush=True)

from hub_model import MODEL, NOT_THERE
from selection.models.base import load_model

try:
    load_model(MODEL, revision=NOT_THERE)
except ValueError as error:
    print(error)
"""
"""Both studies, and a commit that is not there, in one process: what takes longest is importing."""

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
        # Its files are links into the hub's cache, which the project names as one of its roots.
        "folder": {"base_model": pretrained | {"name": "local", "model": str(snapshot)}},
    }
    (root / "project.yaml").write_text(yaml.safe_dump({"roots": [str(snapshot.parents[1])]}))
    for name, changes in studies.items():
        text = yaml.safe_dump(common | {"name": name} | changes)
        (root / f"studies/{name}.yaml").write_text(text)


@pytest.fixture(scope="session")
def hub_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in the hub's files, its weights in several shards."""
    return built_once(tmp_path_factory, "hub_files", write_model)


def write_model(folder: Path) -> None:
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
    model = new_model(config, seed=11)
    save_checkpoint(model, tokenizer, folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    assert {"model.safetensors.index.json", "generation_config.json"} < {
        file.name for file in folder.iterdir()
    }


@dataclass(frozen=True)
class HubStudies:
    """A project whose studies `hub` and `folder` have run.

    Attributes
    ----------
    home : of the hub's files, as `HF_HOME` names it.
    """

    root: Path
    home: Path

    @property
    def offline(self) -> dict[str, str]:
        """What a process is told so that it asks no network."""
        return {"HF_HOME": str(self.home), "HF_HUB_OFFLINE": "1"}

    def printed(self, study: str) -> str:
        """What `selection run` has printed; of `NOT_THERE`, why it cannot be had."""
        return (self.root / f"{study}.printed").read_text()


@pytest.fixture(scope="session")
def hub_studies(hub_files: Path, tmp_path_factory: pytest.TempPathFactory) -> HubStudies:
    """Studies `hub` and `folder`, run by the command line in a process without a network."""

    def build(folder: Path) -> None:
        made = HubStudies(folder / "project", folder / "home")
        for name in ("studies/pools", "drop", "dagster_home"):
            (made.root / name).mkdir(parents=True)
        write_dagster_home(made.root)
        source = "{kind: drop_folder, path: drop, settle_seconds: 0}"
        pool = f"name: library\nsources: [{source}]\n"
        (made.root / "studies/pools/library.yaml").write_text(textwrap.dedent(pool))
        for source in SOURCES:
            lines = docstring_lines(source).splitlines(keepends=True)[:ROWS]
            (made.root / f"drop/{source}.jsonl").write_text("".join(lines))
        write_tasks(made.root / "tasks")
        write_studies(made.root, write_hub_cache(made.home, hub_files))
        for _ in enter(Project(made.root)):
            printed = run(RUN, *NAMES, **made.offline).split("\f")
            for name, text in zip((*NAMES, NOT_THERE), printed, strict=True):
                (made.root / f"{name}.printed").write_text(text)

    folder = built_once(tmp_path_factory, "hub_studies", build)
    return HubStudies(folder / "project", folder / "home")


def arms(project: Project, asset: str):
    return project.ledger.current_versions(asset).items()
