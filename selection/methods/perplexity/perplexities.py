"""What the perplexity method makes first: the selector tuned on the target, and its losses."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selection.basics.blocks import Charge
from selection.costs.rows import rows_forward_flops, rows_training_flops
from selection.methods.contract.blocks import prepare_in_blocks
from selection.methods.contract.common import required_selector
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.preparation import (
    Files,
    Preparation,
    Prepared,
    PrepareInputs,
)
from selection.methods.contract.values import Rows
from selection.methods.perplexity.nll import text_nll
from selection.methods.perplexity.options import PerplexityOptions
from selection.models.batches import training_order
from selection.models.examples import plain_examples, render_all, render_parts
from selection.models.recipe import Recipe
from selection.models.tokenizer import required_id
from selection.models.training import train

if TYPE_CHECKING:
    from selection.costs import ModelShape

TUNED_SELECTOR = "tuned_selector"
PERPLEXITIES = "perplexities"
_STEPS_BETWEEN_SAVES = 100
# Enough rows for batches of near lengths, and minutes of work between two saved blocks.
BLOCK_ROWS = 4096


class TunedSelector(Preparation):
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
class Perplexities(Preparation):
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
        from selection.models.base import load_model, load_tokenizer

        selector = required_selector(inputs.selector)
        shape, folder = selector.shape, selector.folder
        if TUNED_SELECTOR in self.needs:
            folder = inputs.prepared[TUNED_SELECTOR].path("checkpoint")
        model, tokenizer = load_model(folder), load_tokenizer(folder)

        def losses(rows: Rows, charge: Charge) -> dict[str, np.ndarray]:
            examples = plain_examples(rows.row_id, rows.text)
            rendered = [render_parts(e, tokenizer, shape.sequence_length) for e in examples]
            lengths = np.array([len(row.ids) for row in rendered], dtype=np.int64)
            charge(rows_forward_flops(shape, lengths, accountant=selector.accountant))
            measured = [row.n_measured for row in rendered]
            if 0 in measured:
                raise ValueError(
                    f"row {rows.row_id[measured.index(0)]} of the pool is empty: it has no token "
                    "to measure; quarantine it"
                )
            nll = text_nll(model, rendered, device=inputs.device)
            return {"nll": nll, "tokens": np.array(measured, dtype=np.int64)}

        blocks = prepare_in_blocks(self, inputs, losses, block_rows=BLOCK_ROWS)
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
