"""What the perplexity method makes first: the selector tuned on the target, and its losses."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selection.costs.rows import rows_forward_flops, rows_training_flops
from selection.methods.contract.blocks import prepare_in_blocks
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.preparation import (
    Files,
    PreparationDefaults,
    Prepared,
    PrepareInputs,
)
from selection.methods.contract.selector import required_selector
from selection.methods.contract.values import Rows
from selection.methods.perplexity.nll import text_nll
from selection.methods.perplexity.options import PerplexityOptions
from selection.models.batches import training_order
from selection.models.examples import Example, Rendered, render_all, render_parts
from selection.models.recipe import Recipe
from selection.models.tokenizer import required_id
from selection.models.training import train

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from selection.costs import ModelShape

TUNED_SELECTOR = "tuned_selector"
PERPLEXITIES = "perplexities"
_STEPS_BETWEEN_SAVES = 100
# Enough rows for batches of near lengths, and minutes of work between two saved blocks.
BLOCK_ROWS = 4096


@dataclass
class TunedSelector(PreparationDefaults):
    """The selector, fine-tuned on the examples that steer the selection: `checkpoint/`."""

    asset: str = TUNED_SELECTOR
    shared: bool = False
    needs_selector: bool = True
    needs_device: bool = True
    reads: tuple[str, ...] = ("epochs", "learning_rate", "batch_size", "seed")

    def prepare(self, inputs: PrepareInputs[PerplexityOptions]) -> Prepared:
        """Tune it; what is trained on of an example is as in the study's own fine-tuning.

        Raises
        ------
        BudgetExhausted
            When the meter stops it; it goes on from its checkpoint.
        ValueError
            Without a selector or an example.
        """
        from selection.models.base import load_model, load_tokenizer, save_checkpoint

        recipe = inputs.options.recipe
        selector = required_selector(inputs.selector)
        if not inputs.target:
            raise ValueError(
                "the target has no example to tune the selector on; "
                "give its dev split rows, or set `epochs: 0`"
            )
        model, tokenizer = load_model(selector.folder), load_tokenizer(selector.folder)
        dataset, n_truncated = render_all(inputs.target, tokenizer, selector.shape.sequence_length)
        lengths = np.array([len(ids) for ids, _ in dataset])
        tokens, flops = _tuning(lengths, recipe, selector.shape, selector.accountant)
        result = train(
            model,
            dataset,
            recipe,
            work_dir=inputs.work / "training",
            pad_id=required_id(tokenizer.pad_token_id),
            device=inputs.device,
            save_steps=_STEPS_BETWEEN_SAVES,
            meter=inputs.meter,
            flops_per_token=flops / tokens,
        )
        checkpoint = inputs.work / "checkpoint"
        if checkpoint.exists():  # of an attempt that was killed as it wrote this
            shutil.rmtree(checkpoint)
        save_checkpoint(model, tokenizer, checkpoint)
        inputs.advance(len(dataset))
        return Prepared(
            {"checkpoint": checkpoint},
            rows=len(dataset),
            flops=flops,
            accountant=selector.accountant,
            resumed_flops=flops * result.tokens_resumed / tokens,
            facts={
                "steps": result.steps,
                "tokens": result.tokens,
                "first_loss": result.losses[0][1],
                "final_loss": result.final_loss,
                "n_truncated": n_truncated,
            },
        )

    def flops(self, inputs: CostInputs[PerplexityOptions]) -> float:
        """Of the forward and backward passes over the target's examples, padding included."""
        size = required_selector(inputs.selector)
        recipe = inputs.options.recipe
        return _tuning(size.target_lengths, recipe, size.shape, size.accountant)[1]


@dataclass
class Perplexities:
    """Losses of every row: `nll.npy` (nats, float64) and `tokens.npy` (int64), of shape (n,)."""

    needs: tuple[str, ...]
    asset: str = PERPLEXITIES
    shared: bool = False
    by_source: bool = True
    row_by_row: bool = True
    needs_selector: bool = True
    needs_device: bool = True
    reads: tuple[str, ...] = ("epochs",)

    def prepare(self, inputs: PrepareInputs[PerplexityOptions]) -> Prepared:
        """Run the tuned selector, or where it is not tuned the selector itself, over all rows.

        Raises
        ------
        BudgetExhausted
            When the meter stops it; finished blocks are kept.
        ValueError
            Without a selector, or naming a row without a token.
        """
        selector = required_selector(inputs.selector)
        folder = selector.folder
        if TUNED_SELECTOR in self.needs:
            folder = inputs.prepared[TUNED_SELECTOR].path("checkpoint")
        reader = _Reader(folder, selector.shape.sequence_length, inputs.device)
        blocks = prepare_in_blocks(
            self,
            inputs,
            reader.losses,
            lambda rows: rows_forward_flops(
                selector.shape, reader.lengths(rows), accountant=selector.accountant
            ),
            block_rows=BLOCK_ROWS,
        )
        return Prepared(
            {"nll.npy": blocks.arrays["nll"], "tokens.npy": blocks.arrays["tokens"]},
            rows=len(blocks.arrays["nll"]),
            flops=blocks.flops,
            accountant=selector.accountant,
            resumed_flops=blocks.resumed_flops,
        )

    def flops(self, inputs: CostInputs[PerplexityOptions]) -> float:
        """Of one forward over the rows."""
        size = required_selector(inputs.selector)
        return rows_forward_flops(size.shape, size.pool_lengths, accountant=size.accountant)

    def features(self, files: Files) -> np.ndarray:
        """Give (nll, tokens) of each row, of shape (n, 2), float64."""
        return np.stack([files.array("nll.npy"), files.array("tokens.npy")], axis=1)


class _Reader:
    """Renders rows and runs the model over them; neither is loaded before it is needed."""

    def __init__(self, folder: Path, max_length: int, device: str) -> None:
        self._folder, self._max_length, self._device = folder, max_length, device
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._model: PreTrainedModel | None = None
        self._last: tuple[Rows, list[Rendered]] | None = None

    def lengths(self, rows: Rows) -> np.ndarray:
        """Tokens that the model is given of each row, int64 of shape (n,)."""
        return np.array([len(row.ids) for row in self._rendered(rows)], dtype=np.int64)

    def losses(self, rows: Rows) -> dict[str, np.ndarray]:
        """`nll` and `tokens` of each row."""
        from selection.models.base import load_model

        if self._model is None:
            self._model = load_model(self._folder)
        rendered = self._rendered(rows)
        measured = [row.measured[1] - row.measured[0] for row in rendered]
        if 0 in measured:
            raise ValueError(
                f"row {rows.row_id[measured.index(0)]} of the pool is empty: it has no token to "
                "measure; quarantine it"
            )
        return {
            "nll": text_nll(self._model, rendered, device=self._device),
            "tokens": np.array(measured, dtype=np.int64),
        }

    def _rendered(self, rows: Rows) -> list[Rendered]:
        """Render a block once, though its cost is asked for before its losses."""
        from selection.models.base import load_tokenizer

        if self._last is None or self._last[0] is not rows:
            if self._tokenizer is None:
                self._tokenizer = load_tokenizer(self._folder)
            examples = map(Example, rows.row_id.tolist(), rows.text)
            rendered = [render_parts(e, self._tokenizer, self._max_length) for e in examples]
            self._last = rows, rendered
        return self._last[1]


def _tuning(
    lengths: np.ndarray, recipe: Recipe, shape: ModelShape, accountant: str
) -> tuple[int, float]:
    """Tokens and FLOPs of a training on rows of these lengths.

    Each step's rows are as long as its longest: padding is computed on like any token, so it is
    charged like one. The seed decides which rows meet in a step, so this is known before it runs.
    """
    order, sizes = training_order(len(lengths), recipe)
    starts = np.cumsum(sizes) - sizes
    widths = np.repeat(np.maximum.reduceat(np.asarray(lengths)[order], starts), sizes)
    return int(widths.sum()), rows_training_flops(shape, widths, accountant=accountant)
