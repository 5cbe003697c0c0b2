"""How much better than random is a method on targets like these?

Axis letters: T targets, S training seeds. ``D[t, s]`` is a method's loss minus random's, at the
same budget, of target t and seed s. Which interval is honest for the mean of D over four or five
targets depends on what it shall hold for. One that resamples only seeds and examples holds for
exactly these targets, and says little of the next; here targets are a sample, and the interval is
for the mean over targets like them, so that its degrees of freedom are near T - 1.

Seeds are not nested in targets: seed s of random draws the very same rows for every target of a
pool, and warm-ups with one seed see batches in one order. A t interval over the targets' means
takes them as independent all the same; with an effect of the seed that all targets share it covers
the truth in as few as 27 % of cases (simulated, T = 5, S = 3). Targets and seeds are therefore
crossed factors, as in `selection.judging.intervals`: with the mean squares between targets and
between seeds, ``Var(mean D) = (MS_T + MS_S) / (T S)``, which counts their interaction twice and
so errs on the wide side, with Student's t at Satterthwaite's degrees of freedom. Simulated with T
from 3 to 5 and S = 3 it covers 94 to 99 %, whichever of the effects is there. Examples need no
term of their own: their noise is part of D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docs.results.evidence import Tally
from selection.judging.judged import JudgedStudy
from selection.judging.result import RANDOM, budgets_of, methods_of
from selection.judging.verdicts import UNDECIDED, Label


@dataclass(frozen=True)
class MeanEffect:
    """A method at one budget, over all targets on which it and random ran.

    Attributes
    ----------
    method, budget : which.
    difference : mean of the method's loss minus random's, nats per token; below 0 is better.
    low, high : its interval; infinite for a single target, which tells nothing of others.
    points : the same difference of each target.
    raw : verdicts of the targets, each by its own interval.
    corrected : the same, corrected for the number of arms.
    """

    method: str
    budget: str
    difference: float
    low: float
    high: float
    points: tuple[float, ...]
    raw: Tally
    corrected: Tally

    @property
    def targets(self) -> int:
        """T, how many."""
        return len(self.points)

    @property
    def label(self) -> Label:
        """What the interval says."""
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else UNDECIDED


def mean_interval(difference_TS: np.ndarray, *, level: float) -> tuple[float, float, float]:
    """Mean with its interval, over targets like these and training seeds.

    Parameters
    ----------
    difference_TS : np.ndarray of shape (T, S)
        Loss differences; S is 2 or more.
    level : float
        Nominal coverage, in (0, 1).

    Returns
    -------
    estimate, low, high : float
        The ends are infinite when T is 1.

    Raises
    ------
    ValueError
        If there is no target, a single seed, or a value that is not finite.
    """
    from scipy.stats import t as student_t

    shape = np.shape(difference_TS)
    if len(shape) != 2 or shape[0] < 1 or shape[1] < 2:
        raise ValueError(
            f"differences of shape {shape}: give a row for each target and at least two seeds."
        )
    if not np.isfinite(difference_TS).all():
        raise ValueError("a loss difference is not finite: leave out the arm that diverged.")
    n_targets, n_seeds = shape
    mean = float(difference_TS.mean())
    if n_targets == 1:
        return mean, -math.inf, math.inf
    between_targets = n_seeds * float(difference_TS.mean(axis=1).var(ddof=1))
    between_seeds = n_targets * float(difference_TS.mean(axis=0).var(ddof=1))
    sum_of_both = between_targets + between_seeds
    if sum_of_both == 0.0:  # identical arms, or a difference without any spread
        return mean, mean, mean
    freedom = sum_of_both**2 / (
        between_targets**2 / (n_targets - 1) + between_seeds**2 / (n_seeds - 1)
    )
    error = math.sqrt(sum_of_both / (n_targets * n_seeds))
    half = float(student_t.ppf((1 + level) / 2, freedom)) * error
    return mean, mean - half, mean + half


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
    found = []
    for method in methods_of(results):
        for budget in budgets_of(results):
            own = [s for s in studies if (method, budget) in s.judgements]
            if method != RANDOM and own:
                found.append(_mean_effect(method, budget, own))
    return found


def _mean_effect(method: str, budget: str, studies: Sequence[JudgedStudy]) -> MeanEffect:
    rows = []
    for study in studies:
        arm, random = (study.result.arm(name, budget) for name in (method, RANDOM))
        assert arm is not None and random is not None, "it was judged"
        rows.append((arm.loss_S, random.loss_S))
    seeds = {len(loss_S) for pair in rows for loss_S in pair}
    if len(seeds) > 1:
        raise ValueError(
            f"{method} at {budget} and random have {sorted(seeds)} seeds on different targets, and "
            "a mean over targets and seeds needs the same of each: run the missing seeds."
        )
    difference_TS = np.array([arm_S - random_S for arm_S, random_S in rows])
    levels = {study.result.level for study in studies}
    judged = [study.judgements[method, budget] for study in studies]
    return MeanEffect(
        method,
        budget,
        *mean_interval(difference_TS, level=max(levels)),
        tuple(judgement.verdict.difference for judgement in judged),
        Tally(judgement.verdict.label for judgement in judged),
        Tally(judgement.corrected for judgement in judged),
    )
