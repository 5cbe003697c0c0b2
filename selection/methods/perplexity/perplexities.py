"""What the perplexity method makes first: the selector tuned on the target, and its losses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from selection.basics.blocks import Charge
from selection.costs.rows import rows_forward_flops, trained_flops
from selection.methods.contract.blocks import prepare_in_blocks
from selection.methods.contract.common import required_selector
from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.preparation import (
    Files,
    Preparation,
    Prepared,
    PrepareInputs,
    Selector,
)
from selection.methods.contract.values import Rows
from selection.methods.perplexity.nll import text_nll
from selection.methods.perplexity.options import PerplexityOptions
from selection.models.batches import run_flops
from selection.models.tokenizer import required_id
from selection.models.training import train
from selection.models.windows import (
    training_widths,
    training_windows,
    window_lengths,
    window_texts,
)

TUNED_SELECTOR = "tuned_selector"
PERPLEXITIES = "perplexities"
_STEPS_BETWEEN_SAVES = 100
# Enough rows for batches of near lengths, and minutes of work between two saved blocks.
BLOCK_ROWS = 4096
MEASURED = ("nll", "tokens", "windows")


class TunedSelector(Preparation):
    """The selector, fine-tuned on the examples that steer the selection: `checkpoint/`."""

    asset: str = TUNED_SELECTOR
    shared: bool = False
    needs_selector: bool = True
    needs_device: bool = True
    reads: tuple[str, ...] = ("epochs", "learning_rate", "batch_size", "seed")

    def prepare(self, inputs: PrepareInputs[PerplexityOptions]) -> Prepared:
        """Tune it on all of each text; what is trained on of others is as in the study's tuning.

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
        dataset, share = training_windows(inputs.target, tokenizer, selector.shape.sequence_length)
        result = train(
            model,
            dataset,
            recipe,
            work_dir=inputs.work / "training",
            pad_id=required_id(tokenizer.pad_token_id),
            device=inputs.device,
            save_steps=_STEPS_BETWEEN_SAVES,
            meter=inputs.meter,
            price=_price(selector),
        )
        checkpoint = inputs.work / "checkpoint"
        if checkpoint.exists():  # of an attempt that was killed as it wrote this
            shutil.rmtree(checkpoint)
        save_checkpoint(model, tokenizer, checkpoint)
        inputs.advance(len(inputs.target))
        return Prepared(
            {"checkpoint": checkpoint},
            rows=len(inputs.target),
            flops=result.flops,
            accountant=selector.accountant,
            resumed_flops=result.resumed_flops,
            facts={
                "steps": result.steps,
                "tokens": result.tokens,
                "first_loss": result.losses[0][1],
                "final_loss": result.final_loss,
                "window": selector.shape.sequence_length,
                "share_read": share,
            },
        )

    def flops(self, inputs: CostInputs[PerplexityOptions]) -> float:
        """Of the forward and backward passes over the target's examples, padding included."""
        size = required_selector(inputs.selector)
        widths = training_widths(size.target_lengths, size.shape.sequence_length)
        return run_flops(widths, inputs.options.recipe, _price(size))


@dataclass
class Perplexities(Preparation):
    """Losses of every row: `nll.npy` (nats, float64), `tokens.npy`, `windows.npy` (int64), (n,).

    The tokens are those that a loss is summed over; they are all of the row's, in so many windows.
    """

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

        longest = shape.sequence_length

        def losses(rows: Rows, charge: Charge) -> dict[str, np.ndarray]:
            read = window_texts(rows.text, tokenizer, longest, with_end=False)
            tokens = np.array([row.n_read for row in read], dtype=np.int64)
            charge(_reading(tokens, selector))
            if 0 in tokens:
                raise ValueError(
                    f"row {rows.row_id[tokens.argmin()]} of the pool is empty: it has no token "
                    "to measure; quarantine it"
                )
            nll = text_nll(model, read, device=inputs.device)
            windows = np.array([len(row.windows) for row in read], dtype=np.int64)
            return {"nll": nll, "tokens": tokens, "windows": windows}

        blocks = prepare_in_blocks(self, inputs, losses, block_rows=BLOCK_ROWS)
        return Prepared(
            {f"{name}.npy": array for name, array in blocks.arrays.items()},
            rows=len(blocks.arrays["nll"]),
            flops=blocks.flops,
            accountant=selector.accountant,
            resumed_flops=blocks.resumed_flops,
            facts={"window": longest, "share_read": 1.0},  # of a text no token is left out
        )

    def flops(self, inputs: CostInputs[PerplexityOptions]) -> float:
        """Of one forward over the rows, whose end of text is not measured."""
        size = required_selector(inputs.selector)
        return _reading(size.pool_lengths - 1, size)

    def features(self, files: Files) -> np.ndarray:
        """Give (nll, tokens, windows) of each row, of shape (n, 3), float64."""
        return np.stack([files.array(f"{name}.npy") for name in MEASURED], axis=1)


def _reading(n_tokens: np.ndarray, selector: Selector | SelectorSize) -> float:
    """FLOPs of one forward over all windows of rows of so many tokens, without padding."""
    widths = window_lengths(n_tokens, selector.shape.sequence_length)
    return rows_forward_flops(selector.shape, widths, accountant=selector.accountant)


def _price(selector: Selector | SelectorSize) -> Callable[[np.ndarray], float]:
    """FLOPs of training on rows of these widths, what fills them up for their step included."""
    return partial(trained_flops, selector.shape, accountant=selector.accountant)
