"""What the methods that read the pool with a selector model have in common."""

from __future__ import annotations

from typing import TypeVar

from selection.methods.contract.cost import SelectorSize
from selection.methods.contract.preparation import Selector

SelectorT = TypeVar("SelectorT", Selector, SelectorSize)

_NO_SELECTOR = (
    "perplexity and gradient selection read the pool with a selector model and the study names "
    "none; add `selector:` to the study"
)


def required_selector(selector: SelectorT | None) -> SelectorT:
    """Give the selector, or what it would read, or raise ValueError for a study without one."""
    if selector is None:
        raise ValueError(_NO_SELECTOR)
    return selector
