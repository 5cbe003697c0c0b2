"""Which arms beat random at equal total cost, raw and corrected for how many there are?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selection.curves import frontier, loss_point
from selection.judging.multiplicity import holm
from selection.judging.result import RANDOM, Arm, StudyResult
from selection.judging.underspent import RANDOM_UNDERSPENT, UNDERSPENT
from selection.judging.verdicts import UNDECIDED, Label, Verdict, compare

Judgements = Mapping[tuple[str, str], "Judgement"]
"""(method, budget) to its judgement. Random has none, nor has an arm at a budget at which random
did not run. An arm that could not spend its budget has none, and at a budget where random could not
there is none."""


@dataclass(frozen=True)
class Judgement:
    """An arm against random at the same budget.

    Attributes
    ----------
    verdict : by its own interval, as if it were the only arm.
    corrected_p : its p-value by Holm over all arms of its study.
    corrected : the verdict that is left.
    """

    verdict: Verdict
    corrected_p: float
    corrected: Label


@dataclass(frozen=True)
class JudgedStudy:
    """A study and the judgements of its arms."""

    result: StudyResult
    judgements: Judgements


def judge(result: StudyResult) -> JudgedStudy:
    """Judge every arm of a study."""
    return JudgedStudy(
        result, judge_arms(result.arms, level=result.level, n_resamples=result.n_resamples)
    )


def judge_arms(arms: Sequence[Arm], *, level: float, n_resamples: int) -> Judgements:
    """Judge every arm against random at its budget.

    The family that Holm corrects over is all arms given, which are those of one target: with the
    level of confidence none of the corrected verdicts is wrong.
    """
    arms = [arm for arm in arms if not arm.underspent]
    random_at = {arm.budget: arm for arm in arms if arm.method == RANDOM}
    verdicts = {
        (arm.method, arm.budget): duel(
            arm, random_at[arm.budget], level=level, n_resamples=n_resamples
        )
        for arm in arms
        if arm.method != RANDOM and arm.budget in random_at
    }
    adjusted = holm([verdict.p_value for verdict in verdicts.values()])
    return {
        key: Judgement(verdict, float(p), verdict.label if p < 1.0 - level else UNDECIDED)
        for (key, verdict), p in zip(verdicts.items(), adjusted, strict=True)
    }


def duel(one: Arm, other: Arm, *, level: float, n_resamples: int) -> Verdict:
    """Judge one arm against another of the same study by their target losses."""
    return compare(one.nll_SE, other.nll_SE, one.tokens_E, level=level, n_resamples=n_resamples)


def unjudged(arm: Arm, arms: Sequence[Arm]) -> str:
    """What is said of an arm of some that has no judgement: "reference" of random itself."""
    if arm.underspent:
        return UNDERSPENT
    if arm.method == RANDOM:
        return "reference"
    ran = any(other.method == RANDOM and other.budget == arm.budget for other in arms)
    return RANDOM_UNDERSPENT if ran else "no reference"


def frontier_rows(arms: Sequence[Arm], judgements: Judgements) -> list[dict[str, Any]]:
    """Each arm's figures, whether it lies on the frontier, and its judgement, in words.

    Returns
    -------
    list of dict
        In the order given: the arm's own figures, on_frontier, verdict ("better", "worse", "not
        distinguishable", or what `unjudged` says), difference from random with interval, p_value,
        corrected (the verdict that Holm's correction leaves). Underspent arms are left out of the
        frontier.
    """
    points = [
        loss_point(arm.figures["total_flops"], arm.figures["loss"], arm.method) for arm in arms
    ]
    spent = [not arm.underspent for arm in arms]
    best = set(frontier(itertools.compress(points, spent)))
    return [
        {
            **arm.figures,
            "on_frontier": not arm.underspent and point in best,
            **_in_words(arm, judgements, arms),
        }
        for arm, point in zip(arms, points, strict=True)
    ]


def _in_words(arm: Arm, judgements: Judgements, arms: Sequence[Arm]) -> dict[str, Any]:
    judgement = judgements.get((arm.method, arm.budget))
    if judgement is None:
        names = ("difference", "difference_low", "difference_high", "p_value")
        said = unjudged(arm, arms)
        return {"verdict": said, **dict.fromkeys(names), "corrected": said}
    verdict = judgement.verdict
    return {
        "verdict": verdict.label,
        "difference": verdict.difference,
        "difference_low": verdict.low,
        "difference_high": verdict.high,
        "p_value": verdict.p_value,
        "corrected": judgement.corrected,
    }
