"""How far a score can be trusted that few training seeds and many held-out examples gave.

Axis letters: A arms, S seeds, E held-out examples, R bootstrap resamples. A *score* is a weighted
mean, ``sum(values) / sum(weights)``: negative log-likelihoods over tokens give the loss per token,
0/1 correctness over ones gives the accuracy.

Two crossed factors vary: the training seed and the held-out example. The variances that each
causes are added. (Resampling one inside the other, the pigeonhole bootstrap of Owen 2007, Annals of
Applied Statistics 1(2), counts the interaction of seed and example three times; the sum counts it
twice, so it still errs on the wide side.) That of the seeds is the variance of a mean of S scores.
That of the examples, of a ratio, is a bootstrap's, whose deviations are multiplied by
``sqrt(E / (E - 1))``, by which a plain one understates (Davison & Hinkley 1997, "Bootstrap Methods
and their Application", section 3.8). A variance estimated from three seeds is itself uncertain:
with normal quantiles identical arms would be told apart about twice as often as the level allows.
The half-width is therefore the standard error times a Student t quantile whose degrees of freedom
come from the parts of the variance (Satterthwaite 1946, Biometrics Bulletin 2(6)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selection.judging.estimates import Estimate, Part, together

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Resample weights are held as one (block, E) float64 matrix: 4 million cells are 32 MB.
_CELLS_PER_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A weighted mean with its confidence interval.

    Attributes
    ----------
    estimate, low, high : float
        The score and the two ends of its interval, in the score's units.
    level : float
        The interval's nominal coverage, in (0, 1).
    """

    estimate: float
    low: float
    high: float
    level: float


def score_interval(
    values_SE: ArrayLike,
    weights_E: ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Interval of a score over training seeds and held-out examples.

    Parameters
    ----------
    values_SE : array_like of shape (n_seeds, n_examples)
        Per-example totals: summed negative log-likelihood in nats, or 0/1 correctness.
    weights_E : array_like of shape (n_examples,)
        What the totals are divided by: tokens of each example, or ones.
    level : float, default=0.95
        Nominal coverage.
    n_resamples : int, default=2000
        Bootstrap resamples.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    Interval
        With one row in `values_SE` (a model that has no seed, such as the zero-shot one) the
        interval covers the choice of examples only.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, a weight is not positive, there are fewer than
        two examples, or `level` or `n_resamples` is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and must lie between 0 and 1, such as 0.95.")
    deviation_1R = example_deviations(
        {"values_SE": values_SE}, weights_E, n_resamples=n_resamples, seed=seed
    )
    score_S = seed_scores(values_SE, weights_E)
    parts: list[Part] = [(deviation_1R[0].var(ddof=1), np.size(weights_E) - 1)]
    if len(score_S) > 1:
        parts.append((score_S.var(ddof=1) / len(score_S), len(score_S) - 1))
    found = Estimate.of(float(score_S.mean()), together(*parts))
    low, high = found.interval(level)
    return Interval(found.value, low, high, level)


def seed_scores(values_SE: ArrayLike, weights_E: ArrayLike) -> np.ndarray:
    """Score of each seed, of shape (n_seeds,)."""
    return np.asarray(values_SE, np.float64).sum(axis=1) / np.sum(weights_E, dtype=np.float64)


def example_deviations(
    arms: Mapping[str, ArrayLike], weights_E: ArrayLike, *, n_resamples: int, seed: int
) -> np.ndarray:
    """How far each arm's mean score is from itself on other examples.

    The same resamples serve all arms, so that the difference of two rows is that of arms which are
    paired by example.

    Parameters
    ----------
    arms : mapping of str to array_like of shape (n_seeds, n_examples)
        Name of each arm, by which errors call it, to its per-example totals.
    weights_E, n_resamples, seed
        As in `score_interval`.

    Returns
    -------
    np.ndarray of shape (n_arms, n_resamples), float64
        Its variance along the second axis is without bias.

    Raises
    ------
    ValueError
        As in `score_interval`.
    """
    if n_resamples < 100:
        raise ValueError(f"n_resamples is {n_resamples}, and must be at least 100.")
    weights_E = _checked_weights(weights_E)
    checked = [_checked_values(values, weights_E, name) for name, values in arms.items()]
    resampled = _resampled_scores(checked, weights_E, n_resamples, np.random.default_rng(seed))
    scores = [seed_scores(values_SE, weights_E).mean() for values_SE in checked]
    deviation_AR = np.array(
        [score_RS.mean(axis=1) - score for score_RS, score in zip(resampled, scores, strict=True)]
    )
    return deviation_AR * math.sqrt(len(weights_E) / (len(weights_E) - 1))


def _resampled_scores(
    arms: Sequence[np.ndarray],
    weights_E: np.ndarray,
    n_resamples: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Score of every seed of every arm on the same resamples of the examples, each (R, S).

    A resample is a row of counts, so that all sums are one matrix product.
    """
    n_examples = len(weights_E)
    columns_EK = np.concatenate([*arms, weights_E[None]]).T
    block = max(1, _CELLS_PER_BLOCK // n_examples)
    sums = []
    for start in range(0, n_resamples, block):
        n_rows = min(block, n_resamples - start)
        drawn = rng.integers(n_examples, size=(n_rows, n_examples))
        drawn += np.arange(n_rows)[:, None] * n_examples
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_examples)
        sums.append(counts.reshape(n_rows, n_examples).astype(np.float64) @ columns_EK)
    sums_RK = np.concatenate(sums)
    scores_RK = sums_RK[:, :-1] / sums_RK[:, -1:]
    return np.split(scores_RK, np.cumsum([len(arm) for arm in arms])[:-1], axis=1)


def _checked_weights(weights_E: ArrayLike) -> np.ndarray:
    weights_E = np.asarray(weights_E, dtype=np.float64)
    if weights_E.ndim != 1 or len(weights_E) < 2:
        raise ValueError(
            f"weights_E must hold at least two examples in one dimension, got shape "
            f"{weights_E.shape}: an interval over examples needs more held-out rows."
        )
    bad = np.flatnonzero(~(np.isfinite(weights_E) & (weights_E > 0)))
    if len(bad):
        raise ValueError(
            f"weights_E[{bad[0]}] is {weights_E[bad[0]]}, and weights must be positive and finite: "
            "drop examples in which no token is counted."
        )
    return weights_E


def _checked_values(values_SE: ArrayLike, weights_E: np.ndarray, name: str) -> np.ndarray:
    values_SE = np.asarray(values_SE, dtype=np.float64)
    if values_SE.ndim != 2 or len(values_SE) == 0 or values_SE.shape[1] != len(weights_E):
        raise ValueError(
            f"{name} must have shape (seeds, {len(weights_E)}), got {values_SE.shape}: "
            "give every seed's values on the examples that weights_E describes."
        )
    bad = np.argwhere(~np.isfinite(values_SE))
    if len(bad):
        s, e = bad[0]
        raise ValueError(
            f"{name}[{s}, {e}] is {values_SE[s, e]}: the evaluation of that seed diverged, "
            "and a mean over it means nothing. Look at its training loss."
        )
    return values_SE
