"""How much better than random is each method on targets like these, and for how many is that sure?

The family that Holm corrects over is all means that are looked at: every method at every budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docs.results.evidence import Tally
from selection.judging.judged import JudgedStudy
from selection.judging.over_targets import mean_difference
from selection.judging.result import RANDOM, StudyResult, budgets_of, methods_of
from selection.judging.seed_spread import seed_spread
from selection.judging.verdicts import Judgement, Label, Verdict, counting_all, verdict_on


@dataclass(frozen=True)
class MeanEffect:
    """A method at one budget, over all targets on which it and random ran.

    Attributes
    ----------
    method, budget : which.
    judgement : of the mean of the method's loss minus random's, nats per token, by itself and
        among all methods and budgets; its interval is infinite for a single target.
    points : the same difference of each target.
    raw : verdicts of the targets, each by its own interval.
    corrected : the same, corrected for the number of arms.
    """

    method: str
    budget: str
    judgement: Judgement
    points: tuple[float, ...]
    raw: Tally
    corrected: Tally

    @property
    def targets(self) -> int:
        """T, how many."""
        return len(self.points)

    @property
    def label(self) -> Label:
        """What is left of the mean's verdict among all methods and budgets."""
        return self.judgement.corrected

    @property
    def difference(self) -> float:
        """The mean; below 0 is better."""
        return self.judgement.verdict.difference

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        return self.judgement.verdict.low

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        return self.judgement.verdict.high


def mean_effects(studies: Sequence[JudgedStudy]) -> list[MeanEffect]:
    """Every method but random at every budget, over the studies' targets; by method, then budget.

    A target on which the method could not be afforded, or random did not run, is left out of that
    mean, and `MeanEffect.targets` says so.

    Raises
    ------
    ValueError
        If the arms of a mean differ in their numbers of seeds.
    """
    results = [study.result for study in studies]
    own = {
        (method, budget): [s for s in studies if (method, budget) in s.judgements]
        for method in methods_of(results)
        for budget in budgets_of(results)
        if method != RANDOM
    }
    own = {key: judged for key, judged in own.items() if judged}
    means = counting_all([_verdict(*key, judged) for key, judged in own.items()])
    return [
        _mean_effect(*key, judged, mean)
        for (key, judged), mean in zip(own.items(), means, strict=True)
    ]


def _verdict(method: str, budget: str, studies: Sequence[JudgedStudy]) -> Verdict:
    """What the mean says by itself."""
    results = [study.result for study in studies]
    seeds = _seeds(results, method, budget) | _seeds(results, RANDOM, budget)
    if len(seeds) > 1:
        raise ValueError(
            f"{method} at {budget} and random have {sorted(seeds)} seeds on different targets, and "
            "a mean over targets and seeds needs the same of each: run the missing seeds."
        )
    difference_T = np.array([s.judgements[method, budget].verdict.difference for s in studies])
    level = max(result.level for result in results)
    mean = mean_difference(difference_T, _of_seeds(results, method, budget))
    return verdict_on(mean, level=level, n_seeds=min(seeds))


def _of_seeds(results: Sequence[StudyResult], method: str, budget: str) -> float:
    """Variance over seeds of the mean difference, told from all arms that ran on these targets."""
    methods = [
        name
        for name in methods_of(results)
        if name != RANDOM and len(_seeds(results, name, budget)) == 1
    ]
    references = [key for key in budgets_of(results) if len(_seeds(results, RANDOM, key)) == 1]
    own_MS = [_mean_loss(results, name, budget) for name in methods]
    reference_BS = [_mean_loss(results, RANDOM, key) for key in references]
    variance_M, _ = seed_spread(
        [loss_S.var(ddof=1) for loss_S in own_MS],
        [len(loss_S) for loss_S in own_MS],
        [loss_S.var(ddof=1) for loss_S in reference_BS],
        [len(loss_S) for loss_S in reference_BS],
        at=references.index(budget),
    )
    return float(variance_M[methods.index(method)])


def _seeds(results: Sequence[StudyResult], method: str, budget: str) -> set[int]:
    """How many seeds an arm has on each target; none where it did not run on all of them."""
    arms = [result.arm(method, budget) for result in results]
    return {len(arm.nll_SE) for arm in arms if arm is not None} if None not in arms else set()


def _mean_loss(results: Sequence[StudyResult], method: str, budget: str) -> np.ndarray:
    """Loss of each seed, the mean over targets; of shape (seeds,)."""
    arms = [result.arm(method, budget) for result in results]
    return np.mean([arm.loss_S for arm in arms if arm is not None], axis=0)


def _mean_effect(
    method: str, budget: str, studies: Sequence[JudgedStudy], mean: Judgement
) -> MeanEffect:
    judged = [study.judgements[method, budget] for study in studies]
    return MeanEffect(
        method,
        budget,
        mean,
        tuple(judgement.verdict.difference for judgement in judged),
        Tally(judgement.verdict.label for judgement in judged),
        Tally(judgement.corrected for judgement in judged),
    )
