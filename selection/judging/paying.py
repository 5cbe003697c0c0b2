"""From how many targets of the pool on does each method's selection pay?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selection.curves import fit_curves
from selection.curves.amortised import BreakEven, break_even
from selection.curves.scores import FittedScores, MeasuredScores, ScoreCurve, measured_scores
from selection.judging.result import RANDOM, StudyResult

UNTRAINED, WHOLE = "fine_tuning_only", "full_data"


@dataclass(frozen=True)
class Paying:
    """A method's break-even at one budget of one target.

    Attributes
    ----------
    study, method, budget : where.
    flops : the budget, K.
    pool, target : FLOPs of the selection that targets share, and that each has of its own.
    result : BreakEven
    basis : "measured", or "fitted" where the answer lies beyond what was measured.
    """

    study: str
    method: str
    budget: str
    flops: float
    pool: float
    target: float
    result: BreakEven
    basis: str


def paying(study: StudyResult) -> list[Paying]:
    """Every method but random at every budget at which random ran, and spent it.

    Scores are minus the mean target loss; between budgets they are interpolated, from the loss of
    fine-tuning alone on. Where random's score is better than any measured of the method, the
    curves P(C) fitted to all arms answer, if these determine them.

    Raises
    ------
    ValueError
        If the fine-tuning-only line is missing, without which no curve has a beginning.
    """
    if UNTRAINED not in study.lines:
        raise ValueError(f"study {study.name} lacks the line {UNTRAINED}: materialize it.")
    measured = {name: _measured(study, name) for name in study.methods}
    fitted = _fitted(study)
    found = []
    for method in study.methods:
        cost = study.costs[method]
        for budget, flops in study.budgets.items():
            reference = study.arm(RANDOM, budget)
            # What random does not spend says nothing of the budget.
            if method == RANDOM or reference is None or reference.underspent:
                continue
            # A budget is no whole number of blocks: random trains with what it was measured at.
            trained = reference.training_flops
            result, basis = _along(measured, study, method, trained), "measured"
            if result.targets is None and {method, RANDOM} <= fitted.keys():
                result, basis = _along(fitted, study, method, trained), "fitted"
            found.append(
                Paying(study.name, method, budget, flops, cost.pool, cost.target, result, basis)
            )
    return found


def _along(
    curves: Mapping[str, ScoreCurve], study: StudyResult, method: str, budget: float
) -> BreakEven:
    return break_even(
        budget,
        pool=study.costs[method].pool,
        target=study.costs[method].target,
        block=study.pool.block_flops,
        method=curves[method],
        random=curves[RANDOM],
    )


def _points(study: StudyResult, method: str) -> list[tuple[float, float]]:
    """(training FLOPs, minus loss) of each seed of a method's arms."""
    return [
        (arm.training_flops, -float(loss))
        for arm in study.arms
        if arm.method == method
        for loss in arm.loss_S
    ]


def _measured(study: StudyResult, method: str) -> MeasuredScores:
    return measured_scores([(0.0, -study.lines[UNTRAINED]["loss"]), *_points(study, method)])


def _fitted(study: StudyResult) -> dict[str, FittedScores]:
    """Curves that share P_0 and P_max and end at the full-data run; only those determined."""
    points = {name: _points(study, name) for name in study.methods}
    points = {name: own for name, own in points.items() if own}
    weights = {name: [1.0] * len(own) for name, own in points.items()}
    full = None
    if WHOLE in study.lines:
        full = float(study.lines[WHOLE]["warm_up_flops"])
        for loss in study.lines[WHOLE]["loss_by_seed"]:
            for name, own in points.items():
                own.append((full, -loss))
                weights[name].append(1.0 / len(points))
    try:
        curves = fit_curves(
            points, p0=-study.lines[UNTRAINED]["loss"], weights=weights, cost_full=full
        )
    except ValueError:
        # Too few points for a curve: what was measured must do, and the table says what it cannot.
        return {}
    return {name: FittedScores(fit) for name, fit in curves.items() if fit.determined}
