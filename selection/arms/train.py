"""Train one arm: warm the base up on selected rows, then fine-tune it on the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selection.budget.meter import UNMETERED, Meter
from selection.costs import ModelShape, training_flops
from selection.models.base import load_model, load_tokenizer
from selection.models.examples import Example, render_all
from selection.models.packing import pack
from selection.models.recipe import Recipe
from selection.models.tokenizer import tokenize
from selection.models.training import TrainingResult, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STEPS_BETWEEN_SAVES = 200


@dataclass(frozen=True)
class Phase:
    """One training phase that was run.

    Attributes
    ----------
    flops : on the tokens it processed, whichever process ran it.
    resumed_flops : part of them that an earlier process has computed.
    """

    result: TrainingResult
    flops: float
    resumed_flops: float


@dataclass(frozen=True)
class TrainedArm:
    """A trained model and what it took.

    Attributes
    ----------
    warm_up : None for an arm without selected rows.
    fine_tuning : the same for every arm of a study, and so not charged to its budget.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    warm_up: Phase | None
    fine_tuning: Phase


def warm_up(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    recipe: Recipe,
    *,
    shape: ModelShape,
    accountant: str,
    work_dir: Path,
    device: str,
    progress: bool = False,
    meter: Meter = UNMETERED,
) -> Phase:
    """Train on packed rows, in place: pre-training, and the warm-up of an arm."""
    per_token = _flops_per_token(recipe, shape, accountant)
    blocks = pack(
        tokenize(tokenizer, texts),
        block_size=shape.sequence_length,
        eos_id=_token(tokenizer.eos_token_id),
        pad_id=_token(tokenizer.pad_token_id),
    )
    result = train(
        model,
        blocks,
        recipe,
        work_dir=work_dir,
        pad_id=_token(tokenizer.pad_token_id),
        device=device,
        save_steps=STEPS_BETWEEN_SAVES,
        progress=progress,
        meter=meter,
        flops_per_token=per_token,
    )
    return _phase(result, per_token)


def train_arm(
    base: Path,
    texts: Sequence[str],
    examples: Sequence[Example],
    *,
    warm_up_recipe: Recipe,
    fine_tuning_recipe: Recipe,
    shape: ModelShape,
    accountant: str,
    work_dir: Path,
    device: str,
    progress: bool = False,
    meter: Meter = UNMETERED,
) -> TrainedArm:
    """Run both phases from the base checkpoint.

    Parameters
    ----------
    base : folder of the base checkpoint.
    texts : the selected rows, best first; none skips the warm-up.
    examples : the target's train split.
    work_dir : found again after a kill; each phase continues from its last checkpoint.
    meter : charged for each step before it is taken.

    Raises
    ------
    BudgetExhausted
        When the meter has stopped it, after a checkpoint was saved.
    """
    model, tokenizer = load_model(base), load_tokenizer(base)
    warm = None
    if texts:
        warm = warm_up(
            model,
            tokenizer,
            texts,
            warm_up_recipe,
            shape=shape,
            accountant=accountant,
            work_dir=work_dir / "warm_up",
            device=device,
            progress=progress,
            meter=meter,
        )
    per_token = _flops_per_token(fine_tuning_recipe, shape, accountant)
    dataset, _ = render_all(examples, tokenizer, shape.sequence_length)
    tuned = train(
        model,
        dataset,
        fine_tuning_recipe,
        work_dir=work_dir / "fine_tuning",
        pad_id=_token(tokenizer.pad_token_id),
        device=device,
        save_steps=STEPS_BETWEEN_SAVES,
        progress=progress,
        meter=meter,
        flops_per_token=per_token,
    )
    return TrainedArm(model, tokenizer, warm, _phase(tuned, per_token))


def _flops_per_token(recipe: Recipe, shape: ModelShape, accountant: str) -> float:
    return training_flops(shape, 1, accountant=accountant, lora=recipe.lora_rank is not None)


def _phase(result: TrainingResult, per_token: float) -> Phase:
    """Padding is computed on like any token, so it is charged like one."""
    return Phase(result, per_token * result.tokens_processed, per_token * result.tokens_resumed)


def _token(token_id: object) -> int:
    assert isinstance(token_id, int)
    return token_id
