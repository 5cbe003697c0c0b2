"""A study with its verdicts: each arm against random at equal total cost, raw and corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selection.judging.multiplicity import holm
from selection.judging.result import RANDOM, Arm, StudyResult
from selection.judging.verdicts import Label, Verdict, compare

UNDECIDED: Label = "not distinguishable"


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
    """A study and the verdicts on its arms.

    Attributes
    ----------
    judgements : (method, budget) to its judgement. Random has none, nor has an arm at a budget at
        which random did not run.
    """

    result: StudyResult
    judgements: Mapping[tuple[str, str], Judgement]


def judge(result: StudyResult) -> JudgedStudy:
    """Judge every arm of a study.

    The family that Holm corrects over is all arms of one target: with the study's level of
    confidence none of its corrected verdicts is wrong.
    """
    verdicts: dict[tuple[str, str], Verdict] = {}
    for arm in result.arms:
        random = result.arm(RANDOM, arm.budget)
        if arm.method != RANDOM and random is not None:
            verdicts[arm.method, arm.budget] = duel(result, arm, random)
    adjusted = holm([verdict.p_value for verdict in verdicts.values()])
    return JudgedStudy(
        result,
        {
            key: Judgement(
                verdict,
                float(p),
                verdict.label if p < 1.0 - result.level else UNDECIDED,
            )
            for (key, verdict), p in zip(verdicts.items(), adjusted, strict=True)
        },
    )


def duel(result: StudyResult, one: Arm, other: Arm) -> Verdict:
    """Judge one arm against another of the same study by their target losses."""
    return compare(
        one.nll_SE,
        other.nll_SE,
        one.tokens_E,
        level=result.level,
        n_resamples=result.n_resamples,
    )
