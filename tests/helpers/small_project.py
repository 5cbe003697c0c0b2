"""A small project on real text, built the way a user would: files in a folder, no patches."""

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dagster as dg
from dagster_homes import write_dagster_home

from resources.ledger.ledger import Ledger
from resources.project import ROOT_VARIABLE
from resources.workspace import Workspace
from selection.config.study import Study
from selection.corpus.docstrings import read_docstrings
from selection_assets.definitions import build_definitions
from selection_assets.refresh.refresh import refresh
from selection_assets.refresh.work import Work
from selection_assets.studies import load_studies

# Standard library packages: the same real English wherever the tests run.
SOURCES = ("asyncio", "email", "multiprocessing")

POOL = """
name: library
sources:
  - {kind: drop_folder, path: drop, settle_seconds: 0}
"""

STUDY = """
name: small
pool: library
target:
  kind: docstrings
  package: http
  min_words: 5
  max_words: 60
  splits: {train: 40, dev: 40, test: 60}
embedder:
  name: static
  model: {kind: static_minilm, width: 64}
base_model:
  kind: tiny
  width: 32
  layers: 2
  heads: 2
  ffn_width: 64
  vocabulary: 1000
  sequence_length: 64
  pretraining_words: 15000
methods: {random: , length: , embedding: , ot: }
budgets: [0.1, 0.3]
seeds: [0, 1]
full_data_seeds: [0]
fine_tuning: {epochs: 2}
"""

SELECTOR = {
    "name": "selector",
    "kind": "tiny",
    "width": 16,
    "layers": 1,
    "heads": 2,
    "ffn_width": 32,
    "vocabulary": 600,
    "sequence_length": 64,
    "pretraining_words": 15_000,
}
"""Of a study whose methods read the pool with a model."""


@dataclass(frozen=True)
class Project:
    """A project folder with everything that a user would have of it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace()

    @property
    def ledger(self) -> Ledger:
        return self.workspace.ledger

    @property
    def study(self) -> Study:
        return load_studies()["small"]

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions()

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.get()

    def refresh(self) -> list[Work]:
        with self.instance() as instance:
            return refresh(self.study, self.definitions, self.ledger, instance)


def write_project(root: Path) -> Project:
    """Write studies, Dagster home and four sources of real docstrings."""
    for folder in ("studies/pools", "drop", "dagster_home"):
        (root / folder).mkdir(parents=True)
    (root / "studies/pools/library.yaml").write_text(textwrap.dedent(POOL))
    (root / "studies/small.yaml").write_text(textwrap.dedent(STUDY))
    write_dagster_home(root)
    for source in SOURCES:
        (root / f"drop/{source}.jsonl").write_text(docstring_lines(source))
    return Project(root)


@cache
def docstring_lines(source: str) -> str:
    """One package's docstrings as JSON lines; read once a session."""
    records = read_docstrings(source, min_words=5, max_words=60)
    return "".join(json.dumps({"text": record.text}) + "\n" for record in records)


def enter(project: Project) -> Iterator[Project]:
    """Make a project the current one, as its environment variables do for a user."""
    before = {name: os.environ.get(name) for name in (ROOT_VARIABLE, "DAGSTER_HOME")}
    os.environ[ROOT_VARIABLE] = str(project.root)
    os.environ["DAGSTER_HOME"] = str(project.root / "dagster_home")
    try:
        yield project
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
