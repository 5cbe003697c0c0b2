"""Train one arm: warm the base up on selected rows, then fine-tune it on the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selection.budget.meter import UNMETERED, Meter
from selection.costs import ModelShape
from selection.costs.rows import trained_flops
from selection.models.base import load_model, load_tokenizer
from selection.models.examples import Example, render_all
from selection.models.packing import PackedBlocks, Packing, PaddedRows, fill_rows, pack
from selection.models.parallel.together import Processes
from selection.models.recipe import Recipe
from selection.models.tokenizer import required_id, tokenize
from selection.models.training import TrainingResult, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STEPS_BETWEEN_SAVES = 200


@dataclass(frozen=True)
class TrainingPhase:
    """One training phase that was run.

    Attributes
    ----------
    rows_cut : rows of which not all fitted, texts laid in blocks aside, which are never cut.
    flops : on the tokens it processed, whichever process ran it.
    resumed_flops : part of them that an earlier process has computed.
    """

    result: TrainingResult
    rows_cut: int
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
    warm_up: TrainingPhase | None
    fine_tuning: TrainingPhase


def warm_up(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    recipe: Recipe,
    *,
    chats: Sequence[Example] = (),
    packing: Packing = "joined",
    shape: ModelShape,
    accountant: str,
    work_dir: Path,
    device: str,
    processes: Processes | None = None,
    progress: bool = False,
    meter: Meter = UNMETERED,
) -> TrainingPhase:
    """Train on rows of a pool, in place: pre-training, and the warm-up of an arm.

    Parameters
    ----------
    texts : rows without turns, which are packed.
    packing : whether texts of a block see each other.
    chats : rows with turns, each of which has its sequence to itself.

    Raises
    ------
    ValueError
        Naming a conversation that cannot be trained on (`selection.models.chat_lengths`).
    """
    pad_id = required_id(tokenizer.pad_token_id)
    dataset: PackedBlocks | PaddedRows | None = None
    if texts:
        dataset = pack(
            tokenize(tokenizer, texts),
            block_size=shape.sequence_length,
            eos_id=required_id(tokenizer.eos_token_id),
            pad_id=pad_id,
            apart=packing == "isolated",
        )
    rows_cut = 0
    if chats:
        rendered, rows_cut = render_all(chats, tokenizer, shape.sequence_length)
        dataset = fill_rows(dataset, rendered, longest=shape.sequence_length, pad_id=pad_id)
    how: Any = {"device": device, "progress": progress, "meter": meter, "work_dir": work_dir}
    how |= {"processes": processes}
    return _run(model, tokenizer, dataset, rows_cut, recipe, shape, accountant, **how)


def train_arm(
    base: Path,
    texts: Sequence[str],
    examples: Sequence[Example],
    *,
    chats: Sequence[Example] = (),
    packing: Packing = "joined",
    warm_up_recipe: Recipe,
    fine_tuning_recipe: Recipe,
    shape: ModelShape,
    accountant: str,
    work_dir: Path,
    device: str,
    processes: Processes | None = None,
    progress: bool = False,
    meter: Meter = UNMETERED,
) -> TrainedArm:
    """Run both phases from the base checkpoint.

    Parameters
    ----------
    base : folder of the base checkpoint.
    texts, chats : the selected rows without and with turns, best first; none skips the warm-up.
    packing : as of `warm_up`.
    examples : the target's train split.
    work_dir : found again after a kill; each phase continues from its last checkpoint.
    processes : that train together; None for this one alone.
    meter : charged for each step before it is taken.

    Raises
    ------
    BudgetExhausted
        When the meter has stopped it, after a checkpoint was saved.
    """
    model, tokenizer = load_model(base), load_tokenizer(base)
    how: Any = {"shape": shape, "accountant": accountant, "device": device}
    how |= {"progress": progress, "meter": meter, "processes": processes}
    warm = None
    if texts or chats:
        how |= {"work_dir": work_dir / "warm_up"}
        of_rows: Any = {"chats": chats, "packing": packing}
        warm = warm_up(model, tokenizer, texts, warm_up_recipe, **of_rows, **how)
    dataset, rows_cut = render_all(examples, tokenizer, shape.sequence_length)
    how |= {"work_dir": work_dir / "fine_tuning"}
    tuned = _run(model, tokenizer, dataset, rows_cut, fine_tuning_recipe, **how)
    return TrainedArm(model, tokenizer, warm, tuned)


def _run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Any,
    rows_cut: int,
    recipe: Recipe,
    shape: ModelShape,
    accountant: str,
    **how: Any,
) -> TrainingPhase:
    """Train in place. Padding is computed on like any token, so it is charged like one.

    Which rows fill each other up is decided by the recipe's seed and the rows' lengths, and so is
    the same on every machine and known beforehand.
    """
    lora = recipe.lora_rank is not None
    price = partial(trained_flops, shape, accountant=accountant, lora=lora)
    result = train(
        model,
        dataset,
        recipe,
        pad_id=required_id(tokenizer.pad_token_id),
        save_steps=STEPS_BETWEEN_SAVES,
        price=price,
        **how,
    )
    return TrainingPhase(result, rows_cut, result.flops, result.resumed_flops)
