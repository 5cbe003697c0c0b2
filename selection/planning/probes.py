"""How long do embedding, training and evaluating take on this device, by FLOP?"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selection.arms.base import tiny_model
from selection.arms.evaluate import evaluate_checkpoint, evaluation_passes
from selection.arms.train import STEPS_BETWEEN_SAVES, warm_up
from selection.config.decoders import TinyBase
from selection.costs import ModelShape
from selection.costs.passes import passes_flops
from selection.costs.rows import trained_flops
from selection.embedding.embedder import Embedder, encode
from selection.models.base import load_model, load_tokenizer, save_checkpoint
from selection.models.checkpoints import weights_digest
from selection.models.examples import Example, render_all
from selection.models.recipe import Recipe
from selection.models.tokenizer import count_tokens, required_id
from selection.models.training import train
from selection.planning.measuring import Probed, probe_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def probe_embedding(embedder: Embedder, texts: Sequence[str]) -> Probed:
    """Measure `encode`, the model once loaded.

    Parameters
    ----------
    texts : rows of the pool in no order of length; thousands for a static model, which takes a
        second for them, and any model reads only as many as it needs.
    """
    return probe_sizes(lambda n_texts: encode(embedder, texts[:n_texts]).flops, most=len(texts))


def write_untrained(base: TinyBase, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a tiny base before its pre-training: as fast as the trained one, which may not exist.

    ValueError when the folder already holds something.
    """
    save_checkpoint(tiny_model(base, len(tokenizer)), tokenizer, folder)


def probe_training(
    base: Path,
    texts: Sequence[str],
    recipe: Recipe,
    *,
    shape: ModelShape,
    accountant: str,
    device: str,
    work: Path,
) -> Probed:
    """Measure one seed's warm-up, with all that a seed does besides.

    The fixed part is of loading the base, setting the Trainer up, saving the checkpoint and
    checking it. Checkpoints on the way, one in `STEPS_BETWEEN_SAVES` steps, are left out.

    Parameters
    ----------
    base : folder of the base checkpoint, or of an untrained one (`write_untrained`).
    texts : rows of the pool; a few hundred are plenty.
    recipe : of the warm-up; its epochs do not matter.
    work : an existing folder on the disk that checkpoints go to; left as it was.

    Raises
    ------
    ValueError
        When the texts fill fewer than two blocks, and as training does.
    """
    ends = np.cumsum(count_tokens(load_tokenizer(base), texts))
    recipe = dataclasses.replace(recipe, epochs=1)

    def one_seed(n_blocks: int) -> float:
        n_texts = int(np.searchsorted(ends, n_blocks * shape.sequence_length)) + 1
        with tempfile.TemporaryDirectory(dir=work) as folder:
            model, tokenizer = load_model(base), load_tokenizer(base)
            phase = warm_up(
                model,
                tokenizer,
                texts[:n_texts],
                recipe,
                shape=shape,
                accountant=accountant,
                work_dir=Path(folder) / "training",
                device=device,
            )
            saved = Path(folder) / "checkpoint"
            save_checkpoint(model, tokenizer, saved)
            assert weights_digest(load_model(saved)) == weights_digest(model)
        return phase.flops

    return probe_sizes(one_seed, most=int(ends[-1]) // shape.sequence_length)


def probe_fine_tuning(
    base: Path,
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    shape: ModelShape,
    accountant: str,
    device: str,
    work: Path,
) -> Probed:
    """Measure fine-tuning alone: its examples are shorter than blocks and slower by FLOP.

    Loading and saving are `probe_training`'s: a seed does both once.

    Parameters
    ----------
    base, work : as for `probe_training`.
    examples : the target's train split, at least two.
    recipe : of the fine-tuning; its epochs do not matter.
    """
    model, tokenizer = load_model(base), load_tokenizer(base)
    recipe = dataclasses.replace(recipe, epochs=1)
    lora = recipe.lora_rank is not None

    def fine_tune(n_examples: int) -> float:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            dataset, _ = render_all(examples[:n_examples], tokenizer, shape.sequence_length)
            result = train(
                model,
                dataset,
                recipe,
                work_dir=Path(folder),
                pad_id=required_id(tokenizer.pad_token_id),
                device=device,
                save_steps=STEPS_BETWEEN_SAVES,
                price=partial(trained_flops, shape, accountant=accountant, lora=lora),
            )
        return result.flops

    return probe_sizes(fine_tune, most=len(examples))


def probe_evaluation(
    base: Path,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    shape: ModelShape,
    accountant: str,
    device: str,
) -> Probed:
    """Measure the evaluation of one checkpoint, its loading included.

    Parameters
    ----------
    base : folder of a checkpoint of the model, trained or not.
    examples : the target's test split, at least two.
    labels : candidates of a labelled target; empty for another.
    """
    tokenizer = load_tokenizer(base)

    def evaluate(n_examples: int) -> float:
        some, longest = examples[:n_examples], shape.sequence_length
        evaluate_checkpoint(base, some, labels, seed=0, max_length=longest, device=device)
        passes = evaluation_passes(tokenizer, some, labels, longest)
        return passes_flops(shape, passes, accountant=accountant)

    return probe_sizes(evaluate, most=len(examples))
