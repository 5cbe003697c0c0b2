"""Evaluate a loaded model with EleutherAI's harness (`lm_eval`, an optional extra).

What it costs is what goes through the model, padding included, like every other figure here. A hook
on the model counts each pass and asks the meter before it. `count_harness_passes` finds the same
beforehand: which tokens go through a model in which batches depends on the tokenizer and on no
weight, except for how soon a text that is generated ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.budget.meter import UNMETERED, Meter
from selection.costs.passes import Passes
from selection.models.harness_models import model_classes
from selection.models.harness_tasks import (
    FEWSHOT_SEED,
    HarnessTasks,
    load_tasks,
    require_harness,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class TaskScore:
    """One metric of one task.

    Attributes
    ----------
    task, metric, filter : str
        As the harness names them.
    value : float
    stderr : float or None
        None where the harness knows no standard error.
    n_samples : int or None
        Examples it is taken over; None for a group of tasks.
    version : str
        Of the task, from its file.
    """

    task: str
    metric: str
    filter: str
    value: float
    stderr: float | None
    n_samples: int | None
    version: str


@dataclass(frozen=True)
class HarnessResult:
    """What the harness found for one model.

    Attributes
    ----------
    scores : tuple of TaskScore
        In the order of tasks and metrics.
    harness_version : str
    passes : Passes
        That went through the model, padding included.
    n_truncated : int
        Log-likelihood requests that lost tokens on the left to fit `max_length`.
    """

    scores: tuple[TaskScore, ...]
    harness_version: str
    passes: Passes
    n_truncated: int


def run_harness(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: HarnessTasks,
    *,
    max_length: int,
    device: str,
    bootstrap_iters: int = 2000,
    meter: Meter = UNMETERED,
    price: Callable[[Passes], float] = lambda passes: 0.0,
) -> HarnessResult:
    """Run `simple_evaluate` with fixed seeds; the same model gives the same figures.

    Parameters
    ----------
    model, tokenizer : PreTrainedModel, PreTrainedTokenizerBase
        As `load_model` and `load_tokenizer` give them; the model is moved to `device`.
    max_length : int
        Longest sequence in tokens.
    bootstrap_iters : int
        Resamples of standard errors that have no formula.
    meter : Meter
        Charged before each forward pass.
    price : callable
        FLOPs of passes, for the meter.

    Raises
    ------
    BudgetExhausted
        When the meter has stopped it.
    ValueError
        As `load_tasks`, and for an answer longer than `max_length`.
    """
    installed = require_harness()
    with _quiet(), _own_randomness():
        import lm_eval

        manager = load_tasks(tasks)
        model.to(device)  # pyright: ignore[reportArgumentType]
        running, _ = model_classes()
        lm = running(model, tokenizer, max_length)
        with _counting(model, meter, price) as passed, _packages_unlisted():
            evaluate: Any = lm_eval.simple_evaluate  # its decorator hides its type
            found = evaluate(
                model=lm,
                tasks=list(tasks.names),
                task_manager=manager,
                limit=tasks.limit,
                bootstrap_iters=bootstrap_iters,
                log_samples=False,
                random_seed=0,
                numpy_random_seed=FEWSHOT_SEED,
                torch_random_seed=FEWSHOT_SEED,
                fewshot_random_seed=FEWSHOT_SEED,
            )
    return HarnessResult(tuple(_scores(found)), installed, passed.passes, lm.n_truncated)


def count_harness_passes(
    tokenizer: PreTrainedTokenizerBase, tasks: HarnessTasks, *, max_length: int
) -> Passes:
    """What `run_harness` will put through a model with this tokenizer.

    Exact for tasks that compare likelihoods; for generated text as if each went on to its limit.

    Raises
    ------
    ValueError
        As `run_harness`.
    """
    with _quiet(), _own_randomness():
        loaded = load_tasks(tasks).load(list(tasks.names))
        _, counting = model_classes()
        lm = counting(tokenizer, max_length)
        requests = defaultdict(list)
        random.seed(0)
        np.random.seed(FEWSHOT_SEED)
        for task in loaded["tasks"].values():
            # with the arguments of `simple_evaluate`
            task.build_all_requests(
                limit=tasks.limit,
                rank=0,
                world_size=1,
                system_instruction=None,
                apply_chat_template=False,
                fewshot_as_multiturn=True,
            )
            for instance in task.instances:
                requests[instance.request_type] += [instance] * (instance.repeats or 1)
        for kind, of_kind in requests.items():
            getattr(lm, kind)(of_kind)
    return lm.passes


@dataclass
class _Passed:
    passes: Passes = field(default_factory=Passes)


@contextlib.contextmanager
def _counting(
    model: PreTrainedModel, meter: Meter, price: Callable[[Passes], float]
) -> Iterator[_Passed]:
    """Count every forward pass inside, each before it is computed."""
    passed = _Passed()

    def before(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        n, width = (named["input_ids"] if "input_ids" in named else arguments[0]).shape
        # A text that is generated goes on from what is cached of it.
        cache = named.get("past_key_values")
        before_it = 0 if cache is None else int(cache.get_seq_length())
        # Where it goes on only from the last place, the others have no logits.
        kept = named.get("logits_to_keep") or width
        one = Passes(n * width, n * width * (before_it + width), n * kept)
        meter.charge(price(one))
        passed.passes += one

    handle = model.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield passed
    finally:
        handle.remove()


def _scores(found: Any) -> Iterator[TaskScore]:
    for task, values in found["results"].items():
        n_samples = found["n-samples"].get(task, {}).get("effective")
        for key, value in values.items():
            metric, _, filtered_by = key.partition(",")
            if not filtered_by or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            stderr = values.get(f"{metric}_stderr,{filtered_by}")
            yield TaskScore(
                task,
                metric,
                filtered_by,
                float(value),
                float(stderr) if isinstance(stderr, int | float) else None,
                n_samples,
                str(found["versions"].get(task)),
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No notices of the harness inside, only its errors, and no pool of processes.

    Its standard errors would fork this process with its threads; drawn one by one they are the
    same.
    """
    logger, variable = logging.getLogger("lm_eval"), "DISABLE_MULTIPROC"
    level, before = logger.level, os.environ.get(variable)
    logger.setLevel(logging.ERROR)
    os.environ[variable] = "1"
    try:
        yield
    finally:
        logger.setLevel(level)
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


@contextlib.contextmanager
def _packages_unlisted() -> Iterator[None]:
    """Keep the harness from asking `pip`, after each evaluation, for all that is installed.

    Nobody reads the list, and it takes longer than a small evaluation.
    """
    from lm_eval import evaluator

    described = evaluator.add_env_info
    evaluator.add_env_info = lambda storage: None
    try:
        yield
    finally:
        evaluator.add_env_info = described


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave the caller's random states as they were: the harness seeds all of them."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
