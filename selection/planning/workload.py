"""What will the trainings and evaluations of a study compute, before any of it runs?

Each figure is the very one that the run reports afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from selection.arms.evaluate import evaluation_passes
from selection.config.decoders import TinyBase, Training
from selection.config.study import Study
from selection.costs import ModelShape, training_flops
from selection.costs.passes import passes_flops
from selection.costs.rows import trained_flops
from selection.models.batches import run_flops
from selection.models.examples import Example, render_all
from selection.planning.arms import blocks_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def fine_tuning_flops(
    study: Study,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    shape: ModelShape,
    *,
    seed: int,
) -> float:
    """FLOPs of fine-tuning one seed on the target's train split.

    The seed decides which examples meet in a batch, and so how much padding is computed on.

    Raises
    ------
    ValueError
        As `render_all`.
    """
    dataset, _ = render_all(examples, tokenizer, shape.sequence_length)
    # Its precision does not change what is computed on.
    recipe = study.fine_tuning.recipe(seed=seed, precision="float32")
    lora = recipe.lora_rank is not None
    price = partial(trained_flops, shape, accountant=study.accountant, lora=lora)
    return run_flops([len(ids) for ids, _ in dataset], recipe, price)


def warm_up_flops(study: Study, n_tokens: int, shape: ModelShape) -> float:
    """FLOPs of warming one seed up on rows of so many tokens in all, a separator a row included.

    `selection.models.tokenizer.count_tokens` counts them so; without rows there is no warm-up.
    """
    return _packed_flops(n_tokens, study.warm_up, shape, study.accountant)


def pretraining_flops(base: TinyBase, n_tokens: int, shape: ModelShape, accountant: str) -> float:
    """FLOPs of pre-training a tiny base on a sample of so many tokens, counted as for a warm-up."""
    return _packed_flops(n_tokens, base.training, shape, accountant)


def planned_evaluation_flops(
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    shape: ModelShape,
    accountant: str,
    *,
    n_models: int,
) -> float:
    """FLOPs of evaluating `n_models` checkpoints, one a seed, on the target's test split.

    Parameters
    ----------
    labels : candidates of a labelled target; empty for another.

    Raises
    ------
    ValueError
        As `evaluate_checkpoint`.
    """
    passes = evaluation_passes(tokenizer, examples, labels, shape.sequence_length)
    return n_models * passes_flops(shape, passes, accountant=accountant)


def _packed_flops(n_tokens: int, training: Training, shape: ModelShape, accountant: str) -> float:
    tokens = blocks_of(n_tokens, shape) * shape.sequence_length * training.epochs
    lora = training.lora_rank is not None
    return training_flops(shape, tokens, accountant=accountant, lora=lora)
