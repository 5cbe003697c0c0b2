"""Every seed's model on the study's tasks of EleutherAI's harness, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.budget.meter import UNMETERED, Meter
from selection.config.files import Resolve
from selection.config.study import Harness
from selection.costs import ModelShape
from selection.costs.passes import passes_flops
from selection.models.base import load_model, load_tokenizer
from selection.models.harness import HarnessResult, count_harness_passes, run_harness
from selection.models.harness_tasks import HarnessTasks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def harness_tasks(harness: Harness, resolve: Resolve) -> HarnessTasks:
    """Give the tasks of a configuration as the harness is asked for them.

    Parameters
    ----------
    resolve : turns a path of the configuration into an absolute one.
    """
    return HarnessTasks(
        tuple(harness.tasks),
        None if harness.include_path is None else resolve(harness.include_path),
        harness.revisions,
        harness.limit,
        harness.num_fewshot,
    )


def harness_flops(
    harness: Harness,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    accountant: str,
    resolve: Resolve,
) -> float:
    """FLOPs of running the tasks on one checkpoint, before it exists.

    Exact for tasks that compare likelihoods, the most it can be for generated text.
    """
    tasks = harness_tasks(harness, resolve)
    passes = count_harness_passes(tokenizer, tasks, max_length=shape.sequence_length)
    return passes_flops(shape, passes, accountant=accountant)


def run_on_checkpoint(
    harness: Harness,
    folder: Path,
    *,
    shape: ModelShape,
    accountant: str,
    n_resamples: int,
    device: str,
    resolve: Resolve,
    meter: Meter = UNMETERED,
) -> tuple[HarnessResult, float]:
    """Run the tasks on one checkpoint; give its scores and FLOPs, which the meter has been charged.

    Raises
    ------
    BudgetExhausted
        When the meter has stopped it.
    """
    price = partial(passes_flops, shape, accountant=accountant)
    result = run_harness(
        load_model(folder),
        load_tokenizer(folder),
        harness_tasks(harness, resolve),
        max_length=shape.sequence_length,
        device=device,
        bootstrap_iters=n_resamples,
        meter=meter,
        price=price,
    )
    return result, price(result.passes)


def summarise_harness(results: Sequence[HarnessResult]) -> dict[str, Any]:
    """Mean over the seeds, and each seed's value and standard error, as JSON values.

    A value that is not finite, such as the perplexity of a hopeless model, is None, and so is its
    mean.
    """
    scores = []
    for of_seeds in zip(*(result.scores for result in results), strict=True):
        first = of_seeds[0]
        values = np.array([score.value for score in of_seeds])
        scores.append(
            {
                "task": first.task,
                "metric": first.metric,
                "filter": first.filter,
                "mean": _finite(values.mean()),
                "by_seed": [_finite(value) for value in values],
                "stderr_by_seed": [_finite(score.stderr) for score in of_seeds],
                "n_samples": first.n_samples,
                "task_version": first.version,
            }
        )
    return {
        "scores": scores,
        "harness_version": results[0].harness_version,
        "n_truncated": results[0].n_truncated,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
