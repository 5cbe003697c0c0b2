"""How far a score can be trusted that few training seeds and many held-out examples gave.

Axis letters: S seeds, E held-out examples, R bootstrap resamples. A *score* is a weighted mean,
``sum(values) / sum(weights)``: negative log-likelihoods over tokens give the loss per token,
0/1 correctness over ones gives the accuracy.

Two crossed factors vary: the training seed and the held-out example. Both are resampled, and the
deviations that each causes are added. (Resampling one inside the other, the pigeonhole bootstrap
of Owen 2007, Annals of Applied Statistics 1(2), counts the interaction of seed and example three
times; the sum counts it twice, so it still errs on the wide side.) A plain bootstrap of k units
understates their spread by ``sqrt((k - 1) / k)``, which with three seeds is 18 %, so each factor's
deviations are multiplied by ``sqrt(k / (k - 1))`` (Davison & Hinkley 1997, "Bootstrap Methods and
their Application", section 3.8). That repairs the variance, but a variance estimated from three
seeds is itself uncertain: with normal quantiles identical arms would be told apart about twice as
often as the level allows. The half-width is therefore the bootstrap's standard error times a
Student t quantile whose degrees of freedom come from the variance components (Satterthwaite 1946,
Biometrics Bulletin 2(6)). Percentiles are not used: three seeds have ten distinct resampled means,
too few for a 2.5 % tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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


@dataclass(frozen=True)
class Estimate:
    """A signed sum of scores, and what its interval is built from.

    Attributes
    ----------
    value, error : float
        The sum and its bootstrap standard error, in the score's units.
    freedom : float
        Degrees of freedom of the error; infinite without any spread.
    """

    value: float
    error: float
    freedom: float

    def half_width(self, level: float) -> float:
        """Half of its interval of a nominal coverage."""
        from scipy.stats import t as student_t

        return float(student_t.ppf((1 + level) / 2, self.freedom)) * self.error

    @property
    def p_value(self) -> float:
        """Two-sided, of a sum of zero."""
        from scipy.stats import t as student_t

        if self.error == 0.0:  # no spread: any difference at all is one
            return float(self.value == 0.0)
        return 2.0 * float(student_t.sf(abs(self.value) / self.error, self.freedom))


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
    found = estimate(
        {"values_SE": values_SE}, (1.0,), weights_E, level=level, n_resamples=n_resamples, seed=seed
    )
    half_width = found.half_width(level)
    return Interval(found.value, found.value - half_width, found.value + half_width, level)


def estimate(
    arms: Mapping[str, ArrayLike],
    signs: Sequence[float],
    weights_E: ArrayLike,
    *,
    level: float,
    n_resamples: int,
    seed: int,
) -> Estimate:
    """Signed sum of the scores of some arms on the same examples.

    Parameters
    ----------
    arms : mapping of str to array_like of shape (n_seeds, n_examples)
        Name of each arm's values, by which errors call them, to its per-example totals.
    signs : sequence of float
        What each arm's score is multiplied by.
    weights_E, level, n_resamples, seed
        As in `score_interval`.

    Raises
    ------
    ValueError
        As in `score_interval`.
    """
    weights_E = _checked_weights(weights_E)
    checked = [_checked_values(values, weights_E, name) for name, values in arms.items()]
    _check_options(level, n_resamples)
    rng = np.random.default_rng(seed)
    n_examples = len(weights_E)
    resampled = _resampled_scores(checked, weights_E, n_resamples, rng)
    value = 0.0
    example_part_R = np.zeros(n_resamples)
    seed_part_R = np.zeros(n_resamples)
    components: list[tuple[float, int]] = []  # (variance of the estimate, degrees of freedom)
    for sign, values_SE, score_RS in zip(signs, checked, resampled, strict=True):
        n_seeds = len(values_SE)
        score_S = values_SE.sum(axis=1) / weights_E.sum()
        value += sign * float(score_S.mean())
        example_part_R += sign * (score_RS.mean(axis=1) - score_S.mean())
        if n_seeds > 1:
            drawn_RS = rng.integers(n_seeds, size=(n_resamples, n_seeds))
            deviation_R = score_S[drawn_RS].mean(axis=1) - score_S.mean()
            seed_part_R += sign * deviation_R * math.sqrt(n_seeds / (n_seeds - 1))
            components.append((float(score_S.var(ddof=1)) / n_seeds, n_seeds - 1))
    example_part_R *= math.sqrt(n_examples / (n_examples - 1))
    components.append((float(example_part_R.var(ddof=1)), n_examples - 1))

    standard_error = float((example_part_R + seed_part_R).std(ddof=1))
    weighted = sum(variance**2 / freedom for variance, freedom in components)
    if weighted == 0.0:  # no spread at all: the arms agree on every example of every seed
        return Estimate(value, standard_error, math.inf)
    freedom = sum(variance for variance, _ in components) ** 2 / weighted
    return Estimate(value, standard_error, freedom)


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


def _check_options(level: float, n_resamples: int) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and must lie between 0 and 1, such as 0.95.")
    if n_resamples < 100:
        raise ValueError(f"n_resamples is {n_resamples}, and must be at least 100.")
