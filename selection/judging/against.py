"""What can be said of one arm against another, by what all arms of a study tell?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from selection.judging.estimates import Estimate, together
from selection.judging.intervals import example_deviations
from selection.judging.result import Arm
from selection.judging.seed_spread import seed_spread
from selection.judging.verdicts import Verdict, verdict_on

Deviations = Mapping[int, np.ndarray]
"""`id` of an arm to how far its mean loss is from itself on other examples, (n_resamples,)."""


def deviations(arms: Sequence[Arm], *, n_resamples: int, seed: int) -> Deviations:
    """Resample the examples of some arms, the same ones for all.

    Raises
    ------
    ValueError
        As in `intervals.score_interval`, and if an arm has fewer than two seeds.
    """
    for arm in arms:
        if len(arm.nll_SE) < 2:
            raise ValueError(
                f"{arm.method} at {arm.budget} has {len(arm.nll_SE)} seed, and a comparison needs"
                " at least two: the spread over seeds cannot be told from one. Give the study more"
                " seeds."
            )
    named: dict[str, np.ndarray] = {}
    for place, arm in enumerate(arms):
        name = f"{arm.method} at {arm.budget}"
        # Beside the runs of a method there may be what lies between them.
        named[name if name not in named else f"{name} ({place})"] = arm.nll_SE
    found_AR = example_deviations(named, arms[0].tokens_E, n_resamples=n_resamples, seed=seed)
    return {id(arm): found_R for arm, found_R in zip(arms, found_AR, strict=True)}


def verdict_against(
    reference: Arm,
    arm: Arm,
    *,
    here: Sequence[Arm],
    references: Sequence[Arm],
    deviation_R: Deviations,
    level: float,
) -> Verdict:
    """Hold an arm against a reference, by their target losses.

    Examples are paired. Seeds are not, because seed 0 of one arm has nothing in common with seed 0
    of another; how far they move a difference is told from all arms (`seed_spread`).

    Parameters
    ----------
    here : the arms that ran at the budget, `arm` among them and no reference.
    references : at all budgets, `reference` among them.
    deviation_R : of all of these.
    """
    at = next(place for place, one in enumerate(references) if one is reference)
    own = next(place for place, one in enumerate(here) if one is arm)
    variance_M, freedom_M = seed_spread(*_over_seeds(here), *_over_seeds(references), at=at)
    of_examples_R = deviation_R[id(arm)] - deviation_R[id(reference)]
    spread = together(
        (variance_M[own], freedom_M[own]), (of_examples_R.var(ddof=1), len(arm.tokens_E) - 1)
    )
    return verdict_on(
        Estimate.of(float(arm.loss_S.mean() - reference.loss_S.mean()), spread),
        level=level,
        n_seeds=min(len(arm.nll_SE), len(reference.nll_SE)),
    )


def _over_seeds(arms: Sequence[Arm]) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the loss over each arm's seeds, and how many it has."""
    return (
        np.array([arm.loss_S.var(ddof=1) for arm in arms]),
        np.array([len(arm.nll_SE) for arm in arms]),
    )
