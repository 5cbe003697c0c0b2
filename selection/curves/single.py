"""How fast does one method's score rise with training, and how sure is that?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from selection.curves.offset_form import Data, curve, parameter_count, slopes
from selection.curves.solver import Solution, solve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class CurveFit:
    """One method's curve, ``(p_max - p0) (1 - exp(-rate C / cost_full)) + p0``.

    Attributes
    ----------
    rate, rate_low, rate_high : float
        lambda with its interval, which is symmetric in the logarithm and so always positive. An
        interval from 0 to infinity says that the points do not determine lambda (they lie on a
        line, have levelled off before the first, do not rise, or are no more than the
        parameters): `rate` is then only where the search stopped.
    p0, p0_low, p0_high : float
        Zero-shot score; all three are equal where it was given.
    p_max, p_max_low, p_max_high : float
        Score that endless training approaches; all three are equal where it was given.
    cost_full : float
        Training FLOPs on the whole pool.
    model : float, str or None
        The trained model's size or name.
    n : int
        Points of this method.
    residual_std : float
        Standard deviation of the scores about the curve; NaN without degrees of freedom.
    level : float
        Nominal coverage of the intervals.
    freedom : float
        Degrees of freedom of their Student t.
    covariance : np.ndarray of shape (3, 3)
        Of p0, p_max and the logarithm of the rate; infinite variances as in the intervals.
    """

    rate: float
    rate_low: float
    rate_high: float
    p0: float
    p0_low: float
    p0_high: float
    p_max: float
    p_max_low: float
    p_max_high: float
    cost_full: float
    model: float | str | None
    n: int
    residual_std: float
    level: float
    freedom: float
    covariance: np.ndarray = field(repr=False, compare=False)

    @property
    def determined(self) -> bool:
        """Whether the points determine lambda at all."""
        return self.rate_low > 0 and math.isfinite(self.rate_high)

    def predict(
        self, cost: ArrayLike, *, model: float | str | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected score after training for `cost`, with the interval of that expectation.

        The interval is of the mean curve, by the delta method: a single run scatters about it by
        `residual_std` more.

        Parameters
        ----------
        cost : array_like
            Training FLOPs, 0 or more; what selection costs is not part of it.
        model : float or str, optional
            The model to be trained, named as in the fit.

        Returns
        -------
        estimate, low, high : np.ndarray
            In the shape of `cost`; the ends are infinite where the points do not determine them.

        Raises
        ------
        ValueError
            If `model` is not the one that the curve was fitted for, or a cost is negative or not
            finite.
        """
        check_model(self.model, model)
        cost_N = np.asarray(cost, dtype=np.float64)
        if not (np.isfinite(cost_N) & (cost_N >= 0)).all():
            raise ValueError(
                "cost holds a value that is negative or not finite, and FLOPs are not."
            )
        share_N = cost_N / self.cost_full
        coefficients_3 = np.array([self.p0, self.p_max, math.log(self.rate)])
        slopes_N3 = slopes(coefficients_3, share_N)
        unknown_3 = np.isinf(np.diag(self.covariance))
        finite_33 = np.where(np.isinf(self.covariance), 0.0, self.covariance)
        variance_N = np.einsum("...c,cd,...d->...", slopes_N3, finite_33, slopes_N3)
        with np.errstate(over="ignore"):
            half_N = _quantile(self.level, self.freedom) * np.sqrt(np.maximum(variance_N, 0.0))
        half_N = np.where((slopes_N3[..., unknown_3] != 0).any(axis=-1), np.inf, half_N)
        estimate_N = curve(coefficients_3, share_N)
        return estimate_N, estimate_N - half_N, estimate_N + half_N


def fit_curve(
    cost: ArrayLike,
    score: ArrayLike,
    *,
    p0: float,
    p_max: float | None,
    cost_full: float | None = None,
    model: float | str | None = None,
    level: float = 0.95,
) -> CurveFit:
    """Fit one method's curve by least squares.

    Parameters
    ----------
    cost : array_like of shape (n,)
        *Training* FLOPs. Fitted on total FLOPs P_0 is no longer the score of the untrained model,
        and lambda means nothing.
    score : array_like of shape (n,)
        Higher is better.
    p0 : float
        Score of the untrained model. `fit_curves` can fit it.
    p_max : float or None
        Score that endless training approaches, or None to fit it.
    cost_full : float, optional
        Training FLOPs on the whole pool; the largest cost by default.
    model : float or str, optional
        Size or name of the trained model, which `CurveFit.predict` compares.
    level : float, default=0.95
        Nominal coverage of the intervals. They take Student's t with n - 1 (or n - 2) degrees of
        freedom and the Jacobian at the optimum; that of lambda is made on log lambda.

    Returns
    -------
    CurveFit

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, a cost is negative, no cost is positive, there
        are fewer points than parameters, `p_max` does not exceed `p0`, or `level` or `cost_full`
        is out of range.

    References
    ----------
    "Compute-Constrained Data Selection", arXiv 2410.16208: its parametric curve.
    """
    cost_N, score_N = checked_points(cost, score, "the method")
    check_curve_options(p0, p_max, level)
    needed = parameter_count(1, free_p0=False, free_p_max=int(p_max is None))
    check_count(len(cost_N), needed)
    full = checked_cost_full(cost_full, cost_N)
    data = Data(cost_N / full, score_N, np.zeros(len(cost_N), int), np.ones(len(cost_N)), 1)
    solution = solve(data, p0=p0, p_max=p_max)
    return method_fit(solution, 0, cost_full=full, model=model, n=len(cost_N), level=level)


def method_fit(
    solution: Solution,
    index: int,
    *,
    cost_full: float,
    model: float | str | None,
    n: int,
    level: float,
) -> CurveFit:
    """One method's part of a solution, with its intervals."""
    p0, p_max, log_rate = map(float, solution.coefficients_M3[index])
    covariance_33 = solution.covariance_M33[index]
    with np.errstate(over="ignore", under="ignore"):
        half_3 = _quantile(level, solution.freedom) * np.sqrt(np.diag(covariance_33))
        half_3 = np.where(np.diag(covariance_33) == 0.0, 0.0, half_3)
        rate_low, rate_high = np.exp(log_rate - half_3[2]), np.exp(log_rate + half_3[2])
    return CurveFit(
        rate=math.exp(log_rate),
        rate_low=float(rate_low),
        rate_high=float(rate_high),
        p0=p0,
        p0_low=p0 - float(half_3[0]),
        p0_high=p0 + float(half_3[0]),
        p_max=p_max,
        p_max_low=p_max - float(half_3[1]),
        p_max_high=p_max + float(half_3[1]),
        cost_full=cost_full,
        model=model,
        n=n,
        residual_std=solution.residual_std,
        level=level,
        freedom=solution.freedom,
        covariance=covariance_33,
    )


def _quantile(level: float, freedom: float) -> float:
    from scipy.stats import t as student_t

    # Without degrees of freedom all that is free has an infinite variance already.
    return float(student_t.ppf((1 + level) / 2, freedom)) if freedom > 1e-9 else 1.0


def check_model(fitted: float | str | None, asked: float | str | None) -> None:
    """Refuse a model other than the fitted one."""
    if asked is not None and asked != fitted:
        known = "a model that was not named" if fitted is None else f"model {fitted}"
        raise ValueError(
            f"this curve was fitted for {known}, not for {asked}: lambda does not transfer across "
            f"model sizes. Fit a curve to runs of {asked}."
        )


def checked_points(cost: ArrayLike, score: ArrayLike, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Costs and scores of one method as arrays of floats."""
    cost_N, score_N = np.asarray(cost, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if cost_N.ndim != 1 or cost_N.shape != score_N.shape:
        raise ValueError(
            f"costs of shape {cost_N.shape} and scores of shape {score_N.shape}: {owner} needs one "
            "score for each training cost, in one dimension."
        )
    bad = np.flatnonzero(~(np.isfinite(cost_N) & np.isfinite(score_N) & (cost_N >= 0)))
    if len(bad):
        i = bad[0]
        raise ValueError(
            f"point {i} of {owner} has cost {cost_N[i]} and score {score_N[i]}: costs must be 0 or "
            "more, and both finite. Leave out runs that diverged."
        )
    if not (cost_N > 0).any():
        raise ValueError(f"no point of {owner} has trained: give runs with a positive cost.")
    return cost_N, score_N


def checked_cost_full(cost_full: float | None, cost_N: np.ndarray) -> float:
    """Cost of the whole pool: as given, or the largest of the points'."""
    full = float(cost_N.max()) if cost_full is None else float(cost_full)
    if not (math.isfinite(full) and full > 0):
        raise ValueError(f"cost_full is {full}, and the whole pool must cost more than 0 FLOPs.")
    return full


def check_curve_options(p0: float | None, p_max: float | None, level: float) -> None:
    """Refuse impossible ends and levels."""
    for name, value in (("p0", p0), ("p_max", p_max)):
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: give a finite score.")
    if p0 is not None and p_max is not None and p_max <= p0:
        raise ValueError(
            f"p_max is {p_max} and p0 is {p0}: the score of endless training must exceed that of "
            "none. For a loss, give its negative as the score."
        )
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and must lie between 0 and 1, such as 0.95.")


def check_count(n_points: float, n_parameters: int) -> None:
    """Refuse fewer points than parameters."""
    if n_points < n_parameters - 1e-9:
        raise ValueError(
            f"{n_points:g} points cannot determine {n_parameters} parameters: give more runs, or "
            "give p0 and p_max."
        )
