"""Which arms beat random at equal total cost, raw and corrected for how many there are?

The only place where arms are judged; every verdict that is printed anywhere comes from here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selection.curves import frontier, loss_point
from selection.judging.against import deviations, verdict_against
from selection.judging.result import RANDOM, Arm, StudyResult
from selection.judging.underspent import RANDOM_UNDERSPENT, UNDERSPENT
from selection.judging.verdicts import Judgement, Verdict, counting_all

Judgements = Mapping[tuple[str, str], Judgement]
"""(method, budget) to its judgement. The reference has none, nor has an arm at a budget at which
the reference did not run. An arm that could not spend its budget has none, and at a budget where
the reference could not there is none."""


@dataclass(frozen=True)
class JudgedStudy:
    """A study and the judgements of its arms against random."""

    result: StudyResult
    judgements: Judgements


def judge(result: StudyResult, *, reference: str = RANDOM) -> JudgedStudy:
    """Judge every arm of a study."""
    return JudgedStudy(
        result,
        judge_arms(
            result.arms, level=result.level, n_resamples=result.n_resamples, reference=reference
        ),
    )


def judge_arms(
    arms: Sequence[Arm], *, level: float, n_resamples: int, reference: str = RANDOM, seed: int = 0
) -> Judgements:
    """Judge every arm against a reference at its budget, by their target losses.

    The family that Holm corrects over is all arms given, which are those of one target: with the
    level of confidence none of the corrected verdicts is wrong.

    Parameters
    ----------
    arms : of one study, on the same examples in the same order.
    level : nominal coverage of the intervals, in (0, 1).
    n_resamples, seed : of the bootstrap over examples.
    reference : method that the others are held against.

    Raises
    ------
    ValueError
        As in `intervals.score_interval`, and if an arm that is compared has fewer than two seeds.
    """
    arms = [arm for arm in arms if not arm.underspent]
    references = [arm for arm in arms if arm.method == reference]
    budgets = [arm.budget for arm in references]
    compared = [arm for arm in arms if arm.method != reference and arm.budget in budgets]
    if not compared:
        return {}
    deviation_R = deviations([*compared, *references], n_resamples=n_resamples, seed=seed)
    verdicts: dict[tuple[str, str], Verdict] = {}
    for against in references:
        here = [arm for arm in compared if arm.budget == against.budget]
        for arm in here:
            verdicts[arm.method, arm.budget] = verdict_against(
                against,
                arm,
                here=here,
                references=references,
                deviation_R=deviation_R,
                level=level,
            )
    return dict(zip(verdicts, counting_all(list(verdicts.values())), strict=True))


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
