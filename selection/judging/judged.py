"""Which arms beat random at equal total cost, raw and corrected for how many there are?

The only place where arms are judged; every verdict that is printed anywhere comes from here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selection.curves import frontier, loss_point
from selection.judging.estimates import Estimate, together
from selection.judging.intervals import example_deviations
from selection.judging.result import RANDOM, Arm, StudyResult
from selection.judging.seed_spread import seed_spread
from selection.judging.underspent import RANDOM_UNDERSPENT, UNDERSPENT
from selection.judging.verdicts import Judgement, Verdict, counting_all, verdict_on

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

    Examples are paired: one resample of them serves all arms. Seeds are not, because seed 0 of one
    arm has nothing in common with seed 0 of another; how far they move a difference is told from
    all arms (`seed_spread`). The family that Holm corrects over is all arms given, which are those
    of one target: with the level of confidence none of the corrected verdicts is wrong.

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
    for arm in [*compared, *references]:
        if len(arm.nll_SE) < 2:
            raise ValueError(
                f"{_name(arm)} has {len(arm.nll_SE)} seed, and a comparison needs at least two: "
                "the spread over seeds cannot be told from one. Give the study more seeds."
            )
    named = {_name(arm): arm.nll_SE for arm in [*compared, *references]}
    weights_E = compared[0].tokens_E
    deviation_AR = example_deviations(named, weights_E, n_resamples=n_resamples, seed=seed)
    deviation_R = dict(zip(named, deviation_AR, strict=True))
    verdicts: dict[tuple[str, str], Verdict] = {}
    for at, against in enumerate(references):
        here = [arm for arm in compared if arm.budget == against.budget]
        if not here:
            continue
        variance_M, freedom_M = seed_spread(*_over_seeds(here), *_over_seeds(references), at=at)
        for arm, variance, freedom in zip(here, variance_M, freedom_M, strict=True):
            of_examples_R = deviation_R[_name(arm)] - deviation_R[_name(against)]
            spread = together((variance, freedom), (of_examples_R.var(ddof=1), len(weights_E) - 1))
            difference = float(arm.loss_S.mean() - against.loss_S.mean())
            verdicts[arm.method, arm.budget] = verdict_on(
                Estimate.of(difference, spread),
                level=level,
                n_seeds=min(len(arm.nll_SE), len(against.nll_SE)),
            )
    return dict(zip(verdicts, counting_all(list(verdicts.values())), strict=True))


def _over_seeds(arms: Sequence[Arm]) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the loss over each arm's seeds, and how many it has."""
    return (
        np.array([arm.loss_S.var(ddof=1) for arm in arms]),
        np.array([len(arm.nll_SE) for arm in arms]),
    )


def _name(arm: Arm) -> str:
    return f"{arm.method} at {arm.budget}"


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
