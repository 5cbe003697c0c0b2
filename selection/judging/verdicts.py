"""Whether an estimate is a verdict, and which of several are when their number is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selection.judging.estimates import Estimate
from selection.judging.multiplicity import holm

Label = Literal["better", "worse", "not distinguishable", "no verdict: two seeds"]
UNDECIDED: Label = "not distinguishable"
TWO_SEEDS: Label = "no verdict: two seeds"

LEAST_SEEDS = 3
"""For a verdict: where few arms tell how far seeds move one, two of each say too little."""


@dataclass(frozen=True)
class Verdict:
    """What can be said of an arm against the random arm.

    Attributes
    ----------
    label : {"better", "worse", "not distinguishable", "no verdict: two seeds"}
        "not distinguishable" when the interval of the difference contains zero.
    difference, low, high : float
        Score of the arm minus score of random, with its interval.
    level : float
        The interval's nominal coverage, in (0, 1).
    p_value : float
        Two-sided, of no difference, by the interval's own Student t: below ``1 - level`` where the
        interval leaves zero out.
    """

    label: Label
    difference: float
    low: float
    high: float
    level: float
    p_value: float


@dataclass(frozen=True)
class Judgement:
    """One of several verdicts.

    Attributes
    ----------
    verdict : by its own interval, as if it were the only one.
    corrected_p : its p-value by Holm over all of them.
    corrected : the verdict that is left.
    """

    verdict: Verdict
    corrected_p: float
    corrected: Label


def verdict_on(difference: Estimate, *, level: float, n_seeds: int) -> Verdict:
    """Put a difference from random, in loss, into words.

    Parameters
    ----------
    level : nominal coverage, in (0, 1).
    n_seeds : of the arm that has fewest; with two there is an interval and no verdict.

    Raises
    ------
    ValueError
        If `level` is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and must lie between 0 and 1, such as 0.95.")
    low, high = difference.interval(level)
    label: Label = UNDECIDED
    if n_seeds < LEAST_SEEDS:
        label = TWO_SEEDS
    elif low > 0 or high < 0:
        label = "better" if high < 0 else "worse"
    return Verdict(label, difference.value, low, high, level, difference.p_value)


def counting_all(verdicts: Sequence[Verdict]) -> list[Judgement]:
    """Correct verdicts for their number: at their level, none of those that are left is wrong."""
    adjusted = holm([verdict.p_value for verdict in verdicts])
    return [
        Judgement(verdict, float(p), _left(verdict, float(p)))
        for verdict, p in zip(verdicts, adjusted, strict=True)
    ]


def _left(verdict: Verdict, corrected_p: float) -> Label:
    if verdict.label == TWO_SEEDS or corrected_p < 1.0 - verdict.level:
        return verdict.label
    return UNDECIDED
