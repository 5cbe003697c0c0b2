"""How fast does each of several methods' scores rise, given that they start from the same model?

All methods warm up the same model on the same pool: with no training they score P_0, and with
endless training, it is assumed unless told otherwise, P_max. Fitting them together makes their
lambdas comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.curves.break_even import crossing
from selection.curves.offset_form import Data, parameter_count
from selection.curves.single import (
    CurveFit,
    check_count,
    check_curve_options,
    checked_cost_full,
    checked_points,
    method_fit,
)
from selection.curves.solver import solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class CurvesFit:
    """The curves of several methods, fitted together.

    Attributes
    ----------
    curves : dict of str to CurveFit
        By method. All have the same p0, residual_std, freedom and cost_full, and the same p_max
        where it is shared; the intervals come from the joint problem.
    shared_p_max : bool
        Whether all methods have one P_max, without which no crossing can be foretold.
    """

    curves: dict[str, CurveFit]
    shared_p_max: bool

    def predict(
        self, method: str, cost: ArrayLike, *, model: float | str | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One method's expected scores; see `CurveFit.predict`, and ValueError if it is unknown."""
        return self._curve(method).predict(cost, model=model)

    def crossing(
        self, method_a: str, method_b: str, selection_a: float, selection_b: float
    ) -> float | None:
        """Total FLOPs at which two of the methods meet; see `selection.curves.crossing`.

        Raises
        ------
        ValueError
            If a method is unknown, or the methods do not share P_max.
        """
        if not self.shared_p_max:
            raise ValueError(
                "each method has its own P_max, and curves that do not end together have no "
                "crossing in closed form: fit them with shared_p_max=True."
            )
        rates = self._curve(method_a).rate, self._curve(method_b).rate
        return crossing(*rates, selection_a, selection_b)

    def _curve(self, method: str) -> CurveFit:
        if method not in self.curves:
            raise ValueError(f"no curve of method {method!r}; known: {', '.join(self.curves)}")
        return self.curves[method]


def fit_curves(
    points_by_method: Mapping[str, Iterable[Sequence[Any] | np.ndarray]],
    *,
    p0: float | None = None,
    p_max: float | None = None,
    shared_p_max: bool = True,
    weights: Mapping[str, ArrayLike] | None = None,
    cost_full: float | None = None,
    model: float | str | None = None,
    level: float = 0.95,
) -> CurvesFit:
    """Fit the curves of several methods together, by least squares.

    Parameters
    ----------
    points_by_method : mapping of str to iterable of rows
        Rows that start with (training FLOPs, score), such as `Point`; higher scores are better.
    p0 : float, optional
        Score of the untrained model, which all methods share; fitted if not given.
    p_max : float, optional
        Score that endless training approaches; fitted if not given.
    shared_p_max : bool, default=True
        One fitted P_max for all methods, or one a method.
    weights : mapping of str to array_like, optional
        How many independent runs each point stands for, for every method as many as it has
        points: more than 1 for the mean of several seeds, and 1/k for a run that belongs to k
        methods, as training on the whole pool does. Ones by default.
    cost_full : float, optional
        Training FLOPs on the whole pool; the largest cost of all methods by default.
    model : float or str, optional
        Size or name of the trained model, which `predict` compares.
    level : float, default=0.95
        Nominal coverage of the intervals; see `fit_curve`.

    Returns
    -------
    CurvesFit

    Raises
    ------
    ValueError
        As in `fit_curve`, naming the method, and if there is no method, or weights do not match
        the points or are not positive.
    """
    if not points_by_method:
        raise ValueError("points_by_method is empty: there is no method to fit.")
    check_curve_options(p0, p_max, level)
    costs, scores, runs = [], [], []
    for method, rows in points_by_method.items():
        pairs = [(row[0], row[1]) for row in rows]
        owner = f"method {method!r}"
        cost_N, score_N = checked_points([a for a, _ in pairs], [b for _, b in pairs], owner)
        costs.append(cost_N)
        scores.append(score_N)
        runs.append(_checked_weights(method, weights, len(cost_N)))
    methods = list(points_by_method)
    n_ends = 0 if p_max is not None else 1 if shared_p_max else len(methods)
    needed = parameter_count(len(methods), free_p0=p0 is None, free_p_max=n_ends)
    check_count(float(np.concatenate(runs).sum()), needed)
    full = checked_cost_full(cost_full, np.concatenate(costs))
    data = Data(
        np.concatenate(costs) / full,
        np.concatenate(scores),
        np.repeat(np.arange(len(methods)), [len(c) for c in costs]),
        np.concatenate(runs),
        len(methods),
    )
    solution = solve(data, p0=p0, p_max=p_max, shared_p_max=shared_p_max)
    curves = {
        method: method_fit(solution, m, cost_full=full, model=model, n=len(costs[m]), level=level)
        for m, method in enumerate(methods)
    }
    return CurvesFit(curves, shared_p_max or p_max is not None or len(methods) == 1)


def _checked_weights(
    method: str, weights: Mapping[str, ArrayLike] | None, n_points: int
) -> np.ndarray:
    if weights is None:
        return np.ones(n_points)
    weight_N = np.asarray(weights.get(method, ()), dtype=np.float64)
    if weight_N.shape != (n_points,) or not (np.isfinite(weight_N) & (weight_N > 0)).all():
        raise ValueError(
            f"weights of method {method!r} must be {n_points} positive numbers, one a point, got "
            f"{weight_N.tolist()}: leave out points that should not count."
        )
    return weight_N
