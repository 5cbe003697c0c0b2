"""What the methods that read the pool with a selector model have in common."""

from __future__ import annotations

from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.preparation import PrepareInputs, Selector

_NO_SELECTOR = (
    "perplexity and gradient selection read the pool with a selector model and the study names "
    "none; add `selector:` to the study"
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
