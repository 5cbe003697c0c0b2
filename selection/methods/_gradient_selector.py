"""The selector as the gradient method's preparations meet it."""

from __future__ import annotations

from selection.influence.lora import Adapted, adapt
from selection.influence.options import GradientOptions
from selection.methods.preparation import PrepareInputs, Selector, SelectorSize
from selection.methods.protocol import CostInputs, Rows
from selection.models.examples import Example

_NO_SELECTOR = (
    "method 'gradient' takes gradients of a selector model and the study has none: "
    "add `selector:` to the study"
)


def selector_size(inputs: CostInputs) -> SelectorSize:
    """Give what the selector would read, or raise ValueError for a study without one."""
    if inputs.selector is None:
        raise ValueError(_NO_SELECTOR)
    return inputs.selector


def selector_of(inputs: PrepareInputs) -> Selector:
    """Give the selector, or raise ValueError for a study without one."""
    if inputs.selector is None:
        raise ValueError(_NO_SELECTOR)
    return inputs.selector


def adapted_selector(selector: Selector, options: GradientOptions, device: str) -> Adapted:
    """Load the selector with its untrained adapters, the same in every preparation."""
    return adapt(selector.folder, rank=options.lora_rank, seed=options.seed, device=device)


def plain_examples(rows: Rows) -> list[Example]:
    """Give rows of the pool as the selector reads them: plain text."""
    return [Example(str(row_id), text) for row_id, text in zip(rows.row_id, rows.text, strict=True)]
