"""What figures say to a claim, and from how many targets on they may say anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selection.conclusions.judged import JudgedStudy
from selection.conclusions.result import methods_of

LEAST_TARGETS = 3
"""A majority of one or two targets is no majority."""


@dataclass(frozen=True)
class Evidence:
    """Whether a claim holds, and by which figures.

    Attributes
    ----------
    holds : None when the studies cannot tell.
    figures : a sentence.
    """

    holds: bool | None
    figures: str


def family(name: str, of: str) -> bool:
    """Whether an arm's name is that of a method or of one of its variants, `method_variant`."""
    return name == of or name.startswith(f"{of}_")


def variants(studies: Sequence[JudgedStudy], *families: str) -> list[str]:
    """Names of all arms of these families."""
    names = methods_of([study.result for study in studies])
    return [name for name in names if any(family(name, of) for of in families)]


def round_robin(studies: Sequence[JudgedStudy]) -> list[str]:
    """Names of the arms in which targets take turns."""
    names = methods_of([study.result for study in studies])
    return [name for name in names if name.endswith("round_robin")]


def lacking(what: str) -> Evidence:
    """The claim cannot be looked at."""
    return Evidence(None, f"{what}.")


def enough(n_targets: int, holds: bool, figures: str) -> Evidence:
    """Let figures decide only when they are of enough targets."""
    if n_targets < LEAST_TARGETS:
        return Evidence(
            None, f"{figures} That is {n_targets} of the {LEAST_TARGETS} targets it takes."
        )
    return Evidence(holds, figures)
