"""Score by training cost and back: along a fitted curve, or between the points that were measured.

Both never fall, so that the cost of a score is one number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from selection.curves.single import CurveFit


@dataclass(frozen=True)
class Needed:
    """Training FLOPs that a score takes.

    Attributes
    ----------
    cost : float
        Infinite when no training reaches the score.
    beyond : bool
        Whether the score is better than any measured, so that the cost is only known to be more
        than the largest measured one; `cost` is then infinite and means nothing.
    """

    cost: float
    beyond: bool = False


@dataclass(frozen=True)
class FittedScores:
    """Along a fitted curve P(C), which goes on for ever.

    Raises
    ------
    ValueError
        If the points did not determine the curve's lambda.
    """

    fit: CurveFit

    def __post_init__(self) -> None:
        """Refuse a curve that says nothing."""
        if not self.fit.determined:
            raise ValueError(
                "the curve's lambda is not determined by its points: measure more budgets, or use "
                "MeasuredScores."
            )

    def score(self, cost: float) -> float:
        """Score after training for `cost` FLOPs."""
        return float(self.fit.predict(cost)[0])

    def cost_of(self, score: float) -> Needed:
        """Least training FLOPs that reach a score: the curve's inverse.

        ``C = C_D / lambda * log((P_max - P_0) / (P_max - score))``.
        """
        fit = self.fit
        if score <= fit.p0:
            return Needed(0.0)
        if score >= fit.p_max:
            return Needed(math.inf)
        # log1p keeps the few FLOPs that a score just above P_0 takes.
        rise = math.log1p((score - fit.p0) / (fit.p_max - score))
        return Needed(fit.cost_full / fit.rate * rise)


@dataclass(frozen=True)
class MeasuredScores:
    """Straight lines between measured points, made to rise, and nothing beyond the last.

    Attributes
    ----------
    cost_N, score_N : np.ndarray of shape (n,)
        By strictly rising cost; the scores never fall.
    """

    cost_N: np.ndarray
    score_N: np.ndarray

    def score(self, cost: float) -> float:
        """Score after training for `cost` FLOPs.

        Raises
        ------
        ValueError
            If the cost lies outside what was measured.
        """
        low, high = self.cost_N[0], self.cost_N[-1]
        if not low <= cost <= high:
            raise ValueError(
                f"a training cost of {cost:.4g} FLOPs lies outside the measured {low:.4g} to "
                f"{high:.4g}: measure there, or use a fitted curve."
            )
        return float(np.interp(cost, self.cost_N, self.score_N))

    def cost_of(self, score: float) -> Needed:
        """Least training FLOPs that reach a score."""
        if score > self.score_N[-1]:
            return Needed(math.inf, beyond=True)
        first = int(np.searchsorted(self.score_N, score, side="left"))
        if first == 0:
            return Needed(float(self.cost_N[0]))
        (c0, c1), (s0, s1) = self.cost_N[first - 1 : first + 1], self.score_N[first - 1 : first + 1]
        return Needed(float(c0 + (score - s0) / (s1 - s0) * (c1 - c0)))


ScoreCurve = FittedScores | MeasuredScores
"""How well a method does by the FLOPs that it trains with, never falling."""


def measured_scores(points: Iterable[Sequence[Any] | np.ndarray]) -> MeasuredScores:
    """Join measured points by a curve that never falls.

    Points of one cost are averaged; where scores fall with cost, which is noise if more training
    helps at all, neighbours are pooled (isotonic least squares; Barlow et al. 1972, "Statistical
    Inference under Order Restrictions").

    Parameters
    ----------
    points : iterable of rows
        That start with (training FLOPs, score), higher scores being better; one that has not
        trained (cost 0) lets the curve begin there.

    Raises
    ------
    ValueError
        If there is no point, or one is not finite or has a negative cost.
    """
    from scipy.optimize import isotonic_regression

    rows = [(float(row[0]), float(row[1])) for row in points]
    if not rows:
        raise ValueError("there is no measured point: run the method at some budget first.")
    for cost, score in rows:
        if not (math.isfinite(cost) and math.isfinite(score) and cost >= 0):
            raise ValueError(
                f"a point has cost {cost} and score {score}: costs must be 0 or more, and both "
                "finite. Leave out runs that diverged."
            )
    at = np.array(rows)
    cost_N, place = np.unique(at[:, 0], return_inverse=True)
    count_N = np.bincount(place).astype(float)
    mean_N = np.bincount(place, weights=at[:, 1]) / count_N
    return MeasuredScores(cost_N, isotonic_regression(mean_N, weights=count_N).x)
