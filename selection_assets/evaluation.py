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
) -> Evaluated:
    """Evaluate one checkpoint a seed.

    Parameters
    ----------
    folders : seed to checkpoint folder.
    """
    rows = target_examples.table("rows.parquet")
    examples = to_examples(rows, "test")
    # Candidates are the labels that training could show; another one in the test split is an error
    # of every model alike.
    train_labels = {example.label for example in to_examples(rows, "train")}
    labels = sorted(label for label in train_labels if label is not None)
    losses = pa.concat_tables(
        evaluate_checkpoint(
            folder,
            examples,
            labels,
            seed=seed,
            max_length=shape.sequence_length,
            device=device.name,
        )
        for seed, folder in tqdm(folders.items(), desc="evaluate", unit=" seeds", leave=False)
    )
    evaluation = study.evaluation
    summary = summarise(losses, level=evaluation.level, n_resamples=evaluation.n_resamples)
    flops = evaluation_flops(losses, labels, shape, study.accountant)
    return Evaluated(losses, summary, flops)
