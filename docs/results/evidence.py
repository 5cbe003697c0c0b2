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
    known = _kinds(studies)
    return [
        name for name in known if any(f"{known[name]} ".startswith(f"{kind} ") for kind in kinds)
    ]


def as_published(studies: Sequence[JudgedStudy], *kinds: str) -> list[str]:
    """Those of `named` with the paper's options, else with the defaults, else all of a kind.

    Claims are of a method as it was published; what else it can do is no part of them.
    """
    known = _kinds(studies)
    found: list[str] = []
    for kind in kinds:
        names = named(studies, kind)
        by_paper, plain = (
            [name for name in names if known[name] == said] for said in (PAPERS.get(kind), kind)
        )
        found += by_paper or plain or names
    return found


PAPERS = {"dsir": "dsir smoothing=paper"}
"""Kinds of which the paper's options are not the defaults."""


def _kinds(studies: Sequence[JudgedStudy]) -> dict[str, str]:
    results = [study.result for study in studies]
    known = {name: kind for result in results for name, kind in result.kinds.items()}
    return {name: known[name] for name in methods_of(results)}


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
