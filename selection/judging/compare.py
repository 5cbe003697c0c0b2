"""Which arms beat random at equal total cost, and which lie on the frontier?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selection.curves import frontier, loss_point
from selection.judging.multiplicity import holm
from selection.judging.verdicts import compare

RANDOM = "random"


@dataclass(frozen=True)
class ArmResult:
    """One arm as the comparison takes it.

    Attributes
    ----------
    report : content of its `report.json`.
    nll_SE, tokens_E : per-example losses of shape (seeds, examples), and tokens (examples,).
    """

    report: Mapping[str, Any]
    nll_SE: np.ndarray
    tokens_E: np.ndarray


def compare_arms(
    arms: Sequence[ArmResult], *, level: float, n_resamples: int
) -> list[dict[str, Any]]:
    """Give every arm its verdict against random at the same total budget.

    Returns
    -------
    list of dict
        By budget and method as given: method, budget, costs, loss with interval, verdict
        ("better", "worse", "not distinguishable"; "reference" for random itself; "no reference"
        where random has no arm at that budget), difference with interval, p_value, corrected (the
        verdict that Holm's correction for the number of arms leaves), on_frontier.
    """
    random_at = {arm.report["budget"]: arm for arm in arms if arm.report["method"] == RANDOM}
    points = [
        loss_point(arm.report["total_flops"], arm.report["after"]["loss"], arm.report["method"])
        for arm in arms
    ]
    best = set(frontier(points))
    rows = []
    for arm, point in zip(arms, points, strict=True):
        report, after = arm.report, arm.report["after"]
        row = {
            "method": report["method"],
            "budget": report["budget"],
            "selection_flops": report["selection_flops"],
            "training_flops": report["training_flops"],
            "total_flops": report["total_flops"],
            "rows": report["rows"],
            "loss": after["loss"],
            "loss_low": after["loss_low"],
            "loss_high": after["loss_high"],
            "accuracy": after.get("accuracy"),
            "macro_f1": after.get("macro_f1"),
            "ot_distance": report["ot_distance"]["subset"],
            "on_frontier": point in best,
        }
        rows.append(row | _verdict(arm, random_at, level, n_resamples))
    _correct(rows, level)
    return rows


def _correct(rows: Sequence[dict[str, Any]], level: float) -> None:
    """Say what is left of each verdict when their number is counted."""
    judged = [row for row in rows if row["p_value"] is not None]
    adjusted = holm([row["p_value"] for row in judged])
    left = {id(row): p < 1.0 - level for row, p in zip(judged, adjusted, strict=True)}
    for row in rows:
        holds = left.get(id(row), True)
        row["corrected"] = row["verdict"] if holds else "not distinguishable"


def _verdict(
    arm: ArmResult, random_at: Mapping[str, ArmResult], level: float, n_resamples: int
) -> dict[str, Any]:
    names = ("difference", "difference_low", "difference_high", "p_value")
    nothing = dict.fromkeys(names)
    if arm.report["method"] == RANDOM:
        return {"verdict": "reference", **nothing}
    random = random_at.get(arm.report["budget"])
    if random is None:
        return {"verdict": "no reference", **nothing}
    verdict = compare(arm.nll_SE, random.nll_SE, arm.tokens_E, level=level, n_resamples=n_resamples)
    return {
        "verdict": verdict.label,
        "difference": verdict.difference,
        "difference_low": verdict.low,
        "difference_high": verdict.high,
        "p_value": verdict.p_value,
    }
