"""Evaluate checkpoints on the target's test split: shared by arms and reference lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from resources.paths import resolve, resolve_whole
from selection.arms.evaluate import evaluate_checkpoint, evaluation_passes, summarise
from selection.arms.harness import run_on_checkpoint, summarise_harness
from selection.arms.target import to_examples
from selection.config.study import Study
from selection.corpus.folders import configured_fingerprint
from selection.costs.passes import passes_flops
from selection.models.base import load_tokenizer
from selection.models.harness_tasks import harness_version
from selection.reports.tables import markdown_table
from selection_assets.shared.decoders import read_shape
from selection_assets.shared.target_rows import labels_of
from selection_assets.stage.step import Step


@dataclass(frozen=True)
class Evaluated:
    """Losses of every seed and example, their summary, and the FLOPs of finding them."""

    losses: pa.Table
    summary: dict[str, Any]
    flops: float


def evaluate_folders(step: Step, study: Study, folders: Mapping[int, Path]) -> Evaluated:
    """Evaluate one checkpoint a seed.

    Parameters
    ----------
    step : whose inputs have the base model's tokenizer and the target's examples.
    folders : seed to checkpoint folder.
    """
    shape, device = read_shape(step.one("base_tokenizer")), step.device
    rows = step.one("target_examples").table("rows.parquet")
    examples = to_examples(rows, "test", train_on=study.train_on)
    labels = labels_of(rows)
    tokenizer = load_tokenizer(step.one("base_tokenizer").path("tokenizer"))
    passes = evaluation_passes(tokenizer, examples, labels, shape.sequence_length)
    of_one = passes_flops(shape, passes, accountant=study.accountant)
    tables, flops = [], 0.0
    for seed, folder in tqdm(folders.items(), desc="evaluate", unit=" seeds", leave=False):
        step.meter.charge(of_one)
        flops += of_one
        tables.append(
            evaluate_checkpoint(
                folder,
                examples,
                labels,
                seed=seed,
                max_length=shape.sequence_length,
                device=device.name,
            )
        )
    losses = pa.concat_tables(tables)
    evaluation = study.evaluation
    summary = summarise(losses, level=evaluation.level, n_resamples=evaluation.n_resamples)
    if evaluation.harness is not None:
        found = [
            run_on_checkpoint(
                evaluation.harness,
                folder,
                shape=shape,
                accountant=study.accountant,
                n_resamples=evaluation.n_resamples,
                device=device.name,
                resolve=resolve_whole,
                meter=step.meter,
            )
            for folder in tqdm(folders.values(), desc="tasks", unit=" seeds", leave=False)
        ]
        summary["harness"] = summarise_harness([result for result, _ in found])
        flops += sum(spent for _, spent in found)
    return Evaluated(losses, summary, flops)


def harness_outside(study: Study) -> dict[str, str]:
    """Versions of the harness and of the task files that it reads, where the study uses it."""
    harness = study.evaluation.harness
    if harness is None:
        return {}
    versions = {"lm_eval": harness_version() or "not installed"}
    if harness.include_path is not None:
        folder = resolve_whole(harness.include_path)
        # The step says what is wrong with a missing folder; looking for changes does not fail.
        path = harness.include_path
        versions[path] = configured_fingerprint(path, resolve) if folder.is_dir() else "missing"
    return versions


def harness_table(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """Each task's metrics as Markdown, after training and before it where that is known."""
    old = [] if before is None else before["scores"]
    known = {(s["task"], s["metric"], s["filter"]): s["mean"] for s in old}
    rows = [
        [
            s["task"],
            s["metric"] if s["filter"] == "none" else f"{s['metric']} ({s['filter']})",
            s["n_samples"],
            known.get((s["task"], s["metric"], s["filter"])),
            s["mean"],
            ", ".join("—" if value is None else f"{value:.4f}" for value in s["by_seed"]),
        ]
        for s in after["scores"]
    ]
    headers = ["task", "metric", "examples", "zero-shot", "after", "by seed"]
    if before is None:
        headers.remove("zero-shot")
        rows = [row[:3] + row[4:] for row in rows]
    return markdown_table(headers, rows)
