"""What figures say to a claim, and from how many targets on they may say anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selection.judging.judged import JudgedStudy
from selection.judging.result import StudyResult, methods_of

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


def named(results: Sequence[StudyResult], *methods: str, variant: str = "") -> list[str]:
    """Names that the studies give to some methods of the registry, whatever their variant.

    Parameters
    ----------
    variant : only this one, if given.
    """
    kinds = {name: kind for result in results for name, kind in result.kinds.items()}
    return [
        name
        for name in methods_of(results)
        if kinds[name].partition(" ")[0] in methods
        and variant in ("", kinds[name].partition(" ")[2])
    ]


def results_of(studies: Sequence[JudgedStudy]) -> list[StudyResult]:
    """The studies without their verdicts."""
    return [study.result for study in studies]


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
