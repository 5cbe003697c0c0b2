"""What does the fitted curve of one method say, and how sure is that?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from selection.curves.offset_form import curve, slopes
from selection.curves.solver import Solution

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
        if model is not None and model != self.model:
            known = "a model that was not named" if self.model is None else f"model {self.model}"
            raise ValueError(
                f"this curve was fitted for {known}, not for {model}: lambda does not transfer "
                f"across model sizes. Fit a curve to runs of {model}."
            )
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
