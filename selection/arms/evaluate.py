"""Measure a model on the target's held-out examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from selection.costs.passes import Passes
from selection.judging.intervals import score_interval
from selection.models.base import load_model, load_tokenizer
from selection.models.batches import length_batches
from selection.models.evaluation import (
    BATCH_TOKENS,
    LabelPrompts,
    accuracy_and_macro_f1,
    bits_per_byte,
    classify,
    evaluate,
    loss_windows,
)
from selection.models.examples import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def evaluate_checkpoint(
    folder: Path,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    seed: int,
    max_length: int,
    device: str,
) -> pa.Table:
    """Losses of every example, and its predicted label where the target has labels.

    Returns
    -------
    pa.Table
        Columns seed, row_id, nll (nats, float64), n_tokens and n_bytes that are measured, n_read
        that the model computed on for them, n_truncated that did not fit, label, predicted.
    """
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    losses = evaluate(model, tokenizer, examples, max_length=max_length, device=device)
    predicted: list[str] | None = None
    if labels:
        predicted = classify(
            model, tokenizer, examples, labels, max_length=max_length, device=device
        )
    return pa.table(
        {
            "seed": np.full(len(examples), seed, dtype=np.int64),
            "row_id": losses.row_id,
            "nll": losses.nll,
            "n_tokens": losses.n_tokens,
            "n_bytes": losses.n_bytes,
            "n_read": losses.n_read,
            "n_truncated": losses.n_truncated,
            "label": pa.array([example.label for example in examples], pa.string()),
            "predicted": pa.array(predicted or [None] * len(examples), pa.string()),
        }
    )


def evaluation_passes(
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    max_length: int,
) -> Passes:
    """What goes through a model in `evaluate_checkpoint`, known before it is there.

    Every prompt and every candidate label counts, as wide as its batch is filled up. Which examples
    share a batch is decided by their lengths alone, so that it is the same on every machine.

    Raises
    ------
    ValueError
        As `evaluate_checkpoint`.
    """
    read = np.array([len(w.ids) for _, w in loss_windows(tokenizer, examples, max_length)])
    batches = length_batches(read, BATCH_TOKENS)
    passes = sum(
        (Passes.of_rows(np.full(len(batch), read[batch].max())) for batch in batches), Passes()
    )
    if not labels:
        return passes
    asked = LabelPrompts.of(tokenizer, examples, labels, max_length)
    lengths = np.array([len(prefix) for prefix in asked.prefixes])
    for batch in asked.batches(BATCH_TOKENS):
        n, width = len(batch), int(lengths[batch].max())
        # Only where some text of the batch ends are there logits, and there of all its texts.
        ends = len(np.unique(lengths[batch]))
        passes += Passes(n * width, n * width**2, n * ends)
        # A label's tokens attend to its text, whose keys and values are there already.
        fed = n * len(labels) * asked.n_fed
        passes += Passes(fed, fed * (width + asked.n_fed), fed)
    return passes


def loss_matrix(losses: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """NLL of shape (seeds, examples) and tokens of shape (examples,), examples by row id.

    Raises
    ------
    ValueError
        When the seeds were not evaluated on the same examples.
    """
    ordered = losses.sort_by([("seed", "ascending"), ("row_id", "ascending")])
    n_seeds = len(set(ordered["seed"].to_pylist()))
    row_id = ordered["row_id"].to_numpy().reshape(n_seeds, -1)
    if not (row_id == row_id[0]).all():
        raise ValueError("the seeds of an arm were evaluated on different examples")
    tokens = ordered["n_tokens"].to_numpy().reshape(n_seeds, -1)[0]
    return ordered["nll"].to_numpy().reshape(n_seeds, -1), tokens.astype(np.float64)


def summarise(losses: pa.Table, *, level: float, n_resamples: int) -> dict[str, Any]:
    """Loss, bits per byte and, for a labelled target, accuracy and macro F1, as JSON values."""
    nll_SE, tokens_E = loss_matrix(losses)
    interval = score_interval(nll_SE, tokens_E, level=level, n_resamples=n_resamples)
    summary: dict[str, Any] = {
        "loss": interval.estimate,
        "loss_low": interval.low,
        "loss_high": interval.high,
        "loss_by_seed": (nll_SE.sum(axis=1) / tokens_E.sum()).tolist(),
        "bits_per_byte": bits_per_byte(
            losses["nll"].to_numpy().sum(), losses["n_bytes"].to_numpy().sum()
        ),
        "n_examples": len(tokens_E),
        "n_truncated_examples": int((losses["n_truncated"].to_numpy() > 0).sum())
        // len(set(losses["seed"].to_pylist())),
        "measured_tokens": int(tokens_E.sum()),
        "seeds": sorted(set(losses["seed"].to_pylist())),
    }
    if losses["predicted"].null_count == 0:
        scores = [_classification(losses, seed) for seed in summary["seeds"]]
        summary["accuracy"] = float(np.mean([accuracy for accuracy, _ in scores]))
        summary["macro_f1"] = float(np.mean([f1 for _, f1 in scores]))
        summary["accuracy_by_seed"] = [accuracy for accuracy, _ in scores]
    return summary


def _classification(losses: pa.Table, seed: int) -> tuple[float, float]:
    of_seed = losses.filter(pa.array(losses["seed"].to_numpy() == seed)).to_pydict()
    return accuracy_and_macro_f1(of_seed["label"], of_seed["predicted"])
