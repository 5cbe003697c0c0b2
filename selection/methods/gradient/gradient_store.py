"""The gradient method's other preparations: projected gradients of the pool and of the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from selection.basics.blocks import Charge
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
from selection.methods.gradient.flops import projected_gradient_flops
from selection.methods.gradient.lora import Adapted
from selection.methods.gradient.options import GradientOptions
from selection.methods.gradient.projected import projected_gradients, rows_at_once
from selection.methods.gradient.selector_warm_up import WARM_UP, adapted_selector
from selection.methods.gradient.tokens import lengths_of
from selection.models.base import load_tokenizer
from selection.models.examples import plain_examples
from selection.models.windows import share_of, window_examples

if TYPE_CHECKING:
    from selection.models.examples import Example

STORE, TARGET = "gradient_store", "target_gradients"
NO_SUBTASK = "target"
"""Subtask of examples without a label."""


class GradientStore(Preparation):
    """Adam's direction of every row of a source: `gradients.npy`, (n, C, D) float16."""

    asset: str = STORE
    shared: bool = True
    by_source: bool = True
    row_by_row: bool = True
    needs_selector: bool = True
    needs_device: bool = True
    needs: tuple[str, ...] = (WARM_UP,)
    reads: tuple[str, ...] = tuple(GradientOptions.model_fields)

    def prepare(self, inputs: PrepareInputs[GradientOptions]) -> Prepared:
        """Compute them block by block, or go on where the last attempt stopped."""
        return _prepare(
            self,
            inputs,
            lambda rows: plain_examples(rows.row_id, rows.text),
            adam=True,
            dtype=np.float16,
        )

    def flops(self, inputs: CostInputs[GradientOptions]) -> float:
        """Gradients and projection at every checkpoint, by the rows' own lengths."""
        size = required_selector(inputs.selector)
        return projected_gradient_flops(size, size.pool_lengths, inputs.options)

    def features(self, files: Files) -> np.ndarray:
        """Give the array of shape (n, C, D), mapped into memory where the store maps files."""
        return files.array("gradients.npy")


class TargetGradients(Preparation):
    """Plain gradients of the target: `gradients.npy` (m, C, D) float32, and `subtasks.json`."""

    asset: str = TARGET
    shared: bool = False
    needs_selector: bool = True
    needs_device: bool = True
    needs: tuple[str, ...] = (WARM_UP,)
    reads: tuple[str, ...] = tuple(GradientOptions.model_fields)

    def prepare(self, inputs: PrepareInputs[GradientOptions]) -> Prepared:
        """Compute them block by block, or go on where the last attempt stopped."""
        examples = list(inputs.target)
        if not examples:
            raise ValueError("the target has no examples that steer the selection: add some")
        # Examples know more than rows do: the blocks carry their places.
        places = Rows(
            np.array([example.row_id for example in examples]),
            [example.text for example in examples],
            np.zeros(len(examples), dtype=np.int64),
            features=np.arange(len(examples)),
        )
        prepared = _prepare(
            self,
            replace(inputs, pool=lambda: iter([places])),
            lambda block: [examples[place] for place in block.features],
            adam=False,
            dtype=np.float32,
        )
        subtasks = [NO_SUBTASK if e.label is None else e.label for e in examples]
        return replace(prepared, files={**prepared.files, "subtasks.json": subtasks})

    def flops(self, inputs: CostInputs[GradientOptions]) -> float:
        """Gradients and projection at every checkpoint, by the examples' own lengths."""
        size = required_selector(inputs.selector)
        return projected_gradient_flops(size, size.target_lengths, inputs.options)


def _prepare(
    preparation: Preparation,
    inputs: PrepareInputs[GradientOptions],
    examples_of: Callable[[Rows], Sequence[Example]],
    *,
    adam: bool,
    dtype: type[np.floating],
) -> Prepared:
    """Compute `gradients.npy` of all rows at the checkpoints of the warm-up."""
    options = inputs.options
    selector = required_selector(inputs.selector)
    tokenizer = load_tokenizer(selector.folder)
    adapted = adapted_selector(selector, options, inputs.device)
    checkpoints = _checkpoints(inputs, options, adapted)
    longest = selector.shape.sequence_length

    def gradients_of(block: Rows, charge: Charge) -> dict[str, np.ndarray]:
        rows = window_examples(examples_of(block), tokenizer, longest)
        charge(projected_gradient_flops(selector, lengths_of(rows), options))
        gradients = projected_gradients(
            adapted,
            checkpoints,
            rows,
            longest=longest,
            adam=adam,
            dimensions=options.dimensions,
            seed=options.seed,
        )
        return {
            "gradients": gradients.astype(dtype),
            "read": lengths_of(rows),
            "left_out": np.array([row.n_left_out for row in rows], dtype=np.int64),
        }

    blocks = prepare_in_blocks(
        preparation, inputs, gradients_of, block_rows=rows_at_once(adapted.size)
    )
    gradients = blocks.arrays["gradients"]
    return Prepared(
        {"gradients.npy": gradients},
        rows=len(gradients),
        flops=blocks.flops,
        accountant=selector.accountant,
        resumed_flops=blocks.resumed_flops,
        facts={
            "window": longest,
            "share_read": share_of(*(int(blocks.arrays[n].sum()) for n in ("read", "left_out"))),
        },
    )


def _checkpoints(
    inputs: PrepareInputs[GradientOptions], options: GradientOptions, adapted: Adapted
) -> list[dict[str, np.ndarray]]:
    """Read the warm-up's checkpoints, which must be of adapters laid out like these."""
    files = inputs.prepared[WARM_UP]
    layout = [[name, list(shape)] for name, shape in adapted.shapes.items()]
    if files.json("warm_up.json")["layout"] != layout:
        raise ValueError(
            f"the adapters of {WARM_UP} are not those of this selector and lora_rank "
            f"{options.lora_rank}: make {WARM_UP} again"
        )
    return [files.arrays(f"checkpoint_{c}.safetensors") for c in range(options.checkpoints)]
