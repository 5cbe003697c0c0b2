"""What is said of arms that could not spend their budget, and so have no verdict?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from selection.judging.result import RANDOM

UNDERSPENT, RANDOM_UNDERSPENT = "underspent", "random underspent"
"""In place of a verdict: of the arm itself, and of the others at the budget."""

_FOR_ALL = " No arm at this budget has a verdict."


def underspent_notes(arms: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each such arm, from the arms' figures."""
    return [
        f"{arm['method']} at {arm['budget']} is underspent: {arm['underspent']}."
        + (_FOR_ALL if arm["method"] == RANDOM else " It has no verdict.")
        for arm in arms
        if arm["underspent"]
    ]
