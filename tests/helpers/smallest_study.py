"""The smallest study that has every kind of asset: seconds from nothing to its frontier."""

import json
import shutil
import textwrap
from pathlib import Path

from dagster_homes import write_dagster_home
from small_project import Project, docstring_lines

NAME = "least"
SOURCES = ("asyncio", "email")
ROWS = 40
"""Rows of each source: real docstrings, the same wherever the tests run."""
SPLITS = {"train": 12, "dev": 12, "test": 16}

POOL = """
name: shelf
sources:
  - {kind: drop_folder, path: drop, settle_seconds: 0}
"""

STUDY = """
name: least
pool: shelf
target:
  kind: files
  path: target.jsonl
  columns: {label: null, split: split}
  splits: {train: 12, dev: 12, test: 16}
embedder:
  name: mean
  model: {kind: sentence_transformer, model: model, max_tokens: 16}
base_model:
  kind: tiny
  width: 16
  layers: 1
  heads: 1
  ffn_width: 16
  vocabulary: 300
  sequence_length: 16
  pretraining_words: 1000
  training: {batch_size: 32}
methods: {random: , ot: }
budgets: [0.4]
seeds: [0, 1]
full_data_seeds: [0]
warm_up: {batch_size: 32}
fine_tuning: {batch_size: 32}
evaluation: {n_resamples: 200, distance_rows: 20}
"""


def write_smallest_project(root: Path, *, model: Path) -> Project:
    """Write the study, its pool of two sources and its target; nothing has run.

    Parameters
    ----------
    model : folder of a model of sentence-transformers, as `write_model` makes it.
    """
    for folder in ("studies/pools", "drop", "dagster_home"):
        (root / folder).mkdir(parents=True)
    (root / "studies/pools/shelf.yaml").write_text(textwrap.dedent(POOL))
    (root / "studies/least.yaml").write_text(textwrap.dedent(STUDY))
    write_dagster_home(root)
    shutil.copytree(model, root / "model")
    for source in SOURCES:
        lines = docstring_lines(source).splitlines(keepends=True)
        (root / f"drop/{source}.jsonl").write_text("".join(lines[:ROWS]))
    texts = [json.loads(line)["text"] for line in docstring_lines("http").splitlines()]
    splits = [split for split, count in SPLITS.items() for _ in range(count)]
    rows = zip(texts, splits, strict=False)
    (root / "target.jsonl").write_text(
        "".join(json.dumps({"text": text, "split": split}) + "\n" for text, split in rows)
    )
    return Project(root)


def write_model(folder: Path, *, seed: int = 0) -> Path:
    """Write a Transformer of one narrow layer with MiniLM's tokenizer; it has learnt nothing."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import AutoTokenizer, BertConfig, BertModel

    from selection.embedding.build import minilm_folder

    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32}
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, **sizes)
    torch.manual_seed(seed)
    parts = folder.with_name(f"{folder.name}_parts")
    BertModel(config).save_pretrained(parts)
    tokenizer.save_pretrained(parts)
    modules = [Transformer(str(parts)), Pooling(16, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(
        str(folder), create_model_card=False
    )
    return folder


def change_everything(finished: Path, copy: Path) -> Project:
    """Copy a finished project and change every input, so that every asset is to be made anew."""
    project = Project(Path(shutil.copytree(finished, copy)))
    shutil.rmtree(project.root / "model")
    write_model(project.root / "model", seed=1)
    for path in [*project.root.glob("drop/*.jsonl"), project.root / "target.jsonl"]:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([*lines[1:], lines[0].replace('"text": "', '"text": "Today ')]))
    return project
