"""How good will each arm be, judging by the reports there are?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.ledger.ledger import Ledger
from selection.config.study import Study
from selection.curves import CurveFit, crossing, fit_curves
from selection_assets.stage.keys import FULL_DATA

FINE_TUNING_ONLY = "fine_tuning_only"


@dataclass(frozen=True)
class Quality:
    """What past reports foretell.

    Attributes
    ----------
    curves : scores are minus the target loss, against the warm-up FLOPs of one seed.
    why_not : why there is no prediction; empty when there is one.
    """

    curves: dict[str, CurveFit] | None
    why_not: str = ""

    def predict(self, arm: dict[str, Any], parameters: int | None) -> dict[str, float | None]:
        """Expected target loss of an arm with its interval; None where nothing is foretold."""
        nothing: dict[str, float | None] = {
            "predicted_loss": None,
            "predicted_low": None,
            "predicted_high": None,
        }
        if self.curves is None or arm["method"] not in self.curves or not arm["feasible"]:
            return nothing
        curve = self.curves[arm["method"]]
        score, low, high = curve.predict([arm["training_flops"]], model=parameters)
        if not np.isfinite([score[0], low[0], high[0]]).all():
            return nothing
        return {
            "predicted_loss": -float(score[0]),
            "predicted_low": -float(high[0]),
            "predicted_high": -float(low[0]),
        }

    def crossings(self, selection: dict[str, float]) -> dict[str, float | None]:
        """Total FLOPs from which on each method is expected to be ahead of random, by method.

        Parameters
        ----------
        selection : method to the FLOPs of its selection.
        """
        if self.curves is None or "random" not in self.curves:
            return {}
        random = self.curves["random"]
        return {
            name: crossing(curve.rate, random.rate, selection[name], 0.0)
            for name, curve in self.curves.items()
            if name != "random" and name in selection
            if curve.determined and random.determined
        }


def fit_quality(study: Study, ledger: Ledger, parameters: int | None) -> Quality:
    """Fit the offset form of P(k) (CCDS, arXiv 2410.16208) to the study's current reports.

    P_0 is the score of fine-tuning alone, the point of no warm-up that all methods share; training
    on the whole pool is one more point of each.

    Parameters
    ----------
    parameters : of the base model; reports of another size say nothing about it. None for a study
        that trains none.
    """
    if parameters is None:
        return Quality(None, "nothing is trained")
    reports = ledger.current_versions(f"{study.name}/eval_report").values()
    lines = ledger.current_versions(f"{study.name}/reference_report")
    if not reports or FINE_TUNING_ONLY not in lines:
        return Quality(None, "there are no reports yet")
    points: dict[str, list[tuple[float, float]]] = {}
    sizes = set()
    for report in (artifact.json("report.json") for artifact in reports):
        sizes.add(report["model_parameters"])
        losses = report["after"]["loss_by_seed"]
        points.setdefault(report["method"], []).extend(
            (report["training_flops"], -loss) for loss in losses
        )
    if len(sizes) > 1:
        return Quality(None, "its reports are of base models of different sizes")
    weights = {name: [1.0] * len(found) for name, found in points.items()}
    cost_full = None
    if FULL_DATA in lines:
        full = lines[FULL_DATA].json("report.json")
        cost_full = full["warm_up_flops"]
        for name, found in points.items():
            for loss in full["loss_by_seed"]:
                found.append((cost_full, -loss))
                weights[name].append(1.0 / len(points))
    untrained = lines[FINE_TUNING_ONLY].json("report.json")["loss"]
    try:
        curves = fit_curves(
            points,
            p0=-untrained,
            weights=weights,
            cost_full=cost_full,
            model=sizes.pop(),
            level=study.evaluation.level,
        )
        next(iter(curves.values())).predict([0.0], model=parameters)  # refuses another size
    except ValueError as error:
        return Quality(None, str(error))
    return Quality(curves)
