"""What figures say to a claim, and from how many targets on they may say anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selection.judging.judged import JudgedStudy
from selection.judging.result import methods_of
from selection.judging.verdicts import Label

Status = Literal["confirmed", "not confirmed", "not testable at this size"]

Tally = Counter[Label | None]
"""How many targets gave each verdict; None is that of those that could not be judged."""

LEAST_TARGETS = 3
"""A majority of one or two targets is no majority."""


@dataclass(frozen=True)
class Evidence:
    """Whether a claim holds, None when the studies cannot tell; and by which figures, in words."""

    holds: bool | None
    figures: str

    @property
    def status(self) -> Status:
        """What became of the claim."""
        if self.holds is None:
            return "not testable at this size"
        return "confirmed" if self.holds else "not confirmed"


def on_most(tally: Tally, label: Label = "better") -> bool:
    """Whether most of the targets gave a verdict, those that could not be judged among them."""
    return 2 * tally[label] > tally.total()


def named(studies: Sequence[JudgedStudy], *kinds: str) -> list[str]:
    """Names that the studies give to kinds of methods: `embedding`, or `embedding round_robin`."""
    results = [study.result for study in studies]
    known = {name: kind for result in results for name, kind in result.kinds.items()}
    return [
        name
        for name in methods_of(results)
        if not {known[name], known[name].partition(" ")[0]}.isdisjoint(kinds)
    ]


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


def counted(count: int, noun: str) -> str:
    """Say how many: "1 target", "2 targets"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
