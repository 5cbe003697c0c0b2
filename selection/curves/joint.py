"""How fast does each of several methods' scores rise, given that they start from the same model?

All methods warm up the same model on the same pool: with no training they score P_0, and with
endless training, it is assumed, P_max. Fitting them together makes their lambdas comparable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.curves.offset_form import Data
from selection.curves.single import CurveFit, method_fit
from selection.curves.solver import solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike


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
    points = _checked_points(cost, score, "the method")
    [curve] = _fit([points], [np.ones(len(points[0]))], p0, p_max, cost_full, model, level)
    return curve


def fit_curves(
    points_by_method: Mapping[str, Iterable[Sequence[Any] | np.ndarray]],
    *,
    p0: float | None = None,
    p_max: float | None = None,
    weights: Mapping[str, ArrayLike] | None = None,
    cost_full: float | None = None,
    model: float | str | None = None,
    level: float = 0.95,
) -> dict[str, CurveFit]:
    """Fit the curves of several methods together, by least squares.

    Parameters
    ----------
    points_by_method : mapping of str to iterable of rows
        Rows that start with (training FLOPs, score), such as `Point`; higher scores are better.
    p0 : float, optional
        Score of the untrained model, which all methods share; fitted if not given.
    p_max : float, optional
        Score that endless training approaches, for all methods the same; fitted if not given.
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
    dict of str to CurveFit
        By method. All have the same p0, p_max, residual_std, freedom and cost_full; the intervals
        come from the joint problem. For where two of them meet see `selection.curves.crossing`.

    Raises
    ------
    ValueError
        As in `fit_curve`, naming the method, and if there is no method, or weights do not match
        the points or are not positive.
    """
    if not points_by_method:
        raise ValueError("points_by_method is empty: there is no method to fit.")
    points, runs = [], []
    for method, rows in points_by_method.items():
        pairs = [(row[0], row[1]) for row in rows]
        owner = f"method {method!r}"
        points.append(_checked_points([a for a, _ in pairs], [b for _, b in pairs], owner))
        runs.append(_checked_weights(method, weights, len(pairs)))
    curves = _fit(points, runs, p0, p_max, cost_full, model, level)
    return dict(zip(points_by_method, curves, strict=True))


def _fit(
    points: Sequence[tuple[np.ndarray, np.ndarray]],
    runs: Sequence[np.ndarray],
    p0: float | None,
    p_max: float | None,
    cost_full: float | None,
    model: float | str | None,
    level: float,
) -> list[CurveFit]:
    """Fit the checked (costs, scores) of each method, with their weights, together."""
    _check_curve_options(p0, p_max, level)
    costs = [cost_N for cost_N, _ in points]
    weight_N = np.concatenate(runs)
    _check_count(float(weight_N.sum()), len(points) + (p0 is None) + (p_max is None))
    full = _checked_cost_full(cost_full, np.concatenate(costs))
    data = Data(
        np.concatenate(costs) / full,
        np.concatenate([score_N for _, score_N in points]),
        np.repeat(np.arange(len(points)), [len(cost_N) for cost_N in costs]),
        weight_N,
        len(points),
    )
    solution = solve(data, p0=p0, p_max=p_max)
    return [
        method_fit(solution, m, cost_full=full, model=model, n=len(cost_N), level=level)
        for m, cost_N in enumerate(costs)
    ]


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


def _checked_points(cost: ArrayLike, score: ArrayLike, owner: str) -> tuple[np.ndarray, np.ndarray]:
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


def _checked_cost_full(cost_full: float | None, cost_N: np.ndarray) -> float:
    """Cost of the whole pool: as given, or the largest of the points'."""
    full = float(cost_N.max()) if cost_full is None else float(cost_full)
    if not (math.isfinite(full) and full > 0):
        raise ValueError(f"cost_full is {full}, and the whole pool must cost more than 0 FLOPs.")
    return full


def _check_curve_options(p0: float | None, p_max: float | None, level: float) -> None:
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


def _check_count(n_points: float, n_parameters: int) -> None:
    """Refuse fewer points than parameters."""
    if n_points < n_parameters - 1e-9:
        raise ValueError(
            f"{n_points:g} points cannot determine {n_parameters} parameters: give more runs, or "
            "give p0 and p_max."
        )
