"""Evaluate checkpoints on the target's test split: shared by arms and reference lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from resources.artifacts import Artifact
from resources.device import Device
from selection.arms.evaluate import evaluate_checkpoint, evaluation_flops, summarise
from selection.arms.target import to_examples
from selection.budget.meter import Meter
from selection.config.study import Study
from selection.costs import ModelShape


@dataclass(frozen=True)
class Evaluated:
    """Losses of every seed and example, their summary, and the FLOPs of finding them."""

    losses: pa.Table
    summary: dict[str, Any]
    flops: float


def evaluate_folders(
    study: Study,
    folders: Mapping[int, Path],
    target_examples: Artifact,
    shape: ModelShape,
    device: Device,
    meter: Meter,
) -> Evaluated:
    """Evaluate one checkpoint a seed.

    Parameters
    ----------
    folders : seed to checkpoint folder.
    """
    rows = target_examples.table("rows.parquet")
    examples = to_examples(rows, "test")
    labels = labels_of(rows)
    tables, flops = [], 0.0
    for seed, folder in tqdm(folders.items(), desc="evaluate", unit=" seeds", leave=False):
        of_seed = evaluate_checkpoint(
            folder,
            examples,
            labels,
            seed=seed,
            max_length=shape.sequence_length,
            device=device.name,
        )
        tables.append(of_seed)
        spent = evaluation_flops(of_seed, labels, shape, study.accountant)
        meter.charge(spent)
        flops += spent
    losses = pa.concat_tables(tables)
    evaluation = study.evaluation
    summary = summarise(losses, level=evaluation.level, n_resamples=evaluation.n_resamples)
    return Evaluated(losses, summary, flops)


def labels_of(target_rows: pa.Table) -> list[str]:
    """Candidates of a labelled target: the labels that training could show, none for another.

    Another one in the test split is an error of every model alike.
    """
    labels = {example.label for example in to_examples(target_rows, "train")}
    return sorted(label for label in labels if label is not None)
