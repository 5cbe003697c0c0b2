"""What people see of a plan: each arm with its cost, its time and what to expect of it."""

from collections.abc import Mapping
from typing import Any

from selection.budget.amounts import SECONDS_AN_HOUR
from selection.config.study import Study
from selection.costs.ccds import SIZE_RATIOS
from selection.reports.numbers import number
from selection_assets.planning.expected_loss import Quality
from selection_assets.planning.steps import embedding_step, preparation_step
from selection_assets.stage.keys import arm_key

COLUMNS = {
    "method": "method",
    "budget": "budget",
    "selection_flops": "selection FLOPs",
    "training_flops": "training FLOPs",
    "rows": "rows",
    "seconds": "seconds",
    "usd": "USD",
    "predicted_loss": "expected loss",
    "predicted_low": "low",
    "predicted_high": "high",
    "reason": "not feasible because",
}

Forecasts = Mapping[tuple[str, str], tuple[float, float | None]]
"""(asset, partition) to FLOPs and seconds."""


def view_arms(
    study: Study,
    planned: list[dict[str, Any]],
    expected: Forecasts,
    quality: Quality,
    parameters: int | None,
) -> list[dict[str, Any]]:
    """Every arm of a plan.

    Parameters
    ----------
    planned : the arms of `plan.json`.
    parameters : of the base model; None for a study that trains none.

    Returns
    -------
    list of dict
        method, budget, selection_flops, training_flops (one seed's), accountant, rows, seconds
        (its selection and all its seeds; None if unknown), usd, feasible, reason, predicted_loss
        with its interval.
    """
    names = ("method", "budget", "selection_flops", "training_flops", "accountant", "rows")
    arms = []
    for arm in planned:
        seconds = _seconds(study, arm, expected) if arm["feasible"] else None
        arms.append(
            {name: arm[name] for name in names}
            | {
                "seconds": seconds,
                "usd": usd(study, seconds),
                "feasible": arm["feasible"],
                "reason": arm["reason"],
            }
            | quality.predict(arm, parameters)
        )
    return arms


def arms_table(arms: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Headers and rows of a table; a column without any value is left out."""
    shown = [name for name in COLUMNS if any(arm[name] not in (None, "") for arm in arms)]
    return [COLUMNS[name] for name in shown], [[arm[name] for name in shown] for arm in arms]


def curves_table(quality: Quality, arms: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Each method's lambda with its interval, and from which total FLOPs it is ahead of random."""
    assert quality.curves is not None
    selection = {arm["method"]: arm["selection_flops"] for arm in arms}
    meets = quality.crossings(selection)
    rows = [
        [name, fit.rate, fit.rate_low, fit.rate_high, _crossing(name, meets)]
        for name, fit in quality.curves.items()
    ]
    return ["method", "lambda", "low", "high", "ahead of random from"], rows


def advice(parameters: int) -> str:
    """From which size of the selector on the costlier methods begin to pay, with the source."""
    ratios = [
        f"{method} selection one of at most {number(round(parameters / ratio))}"
        f" ({ratio:g} times smaller)"
        for method, ratio in SIZE_RATIOS.items()
    ]
    return (
        f"advice: with a base model of {number(parameters)} parameters a selector begins to pay"
        f" when small enough: for {', for '.join(ratios)}. That is read off the 70B panels of arXiv"
        " 2410.16208 and no law"
    )


def usd(study: Study, seconds: float | None) -> float | None:
    """What device time costs; None without a price."""
    if seconds is None or study.usd_per_device_hour is None:
        return None
    return seconds / SECONDS_AN_HOUR * study.usd_per_device_hour


def _crossing(name: str, meets: dict[str, float | None]) -> str:
    if name not in meets:
        return "—"
    where = meets[name]
    return "never, or always" if where is None else number(where)


def _seconds(study: Study, arm: dict[str, Any], expected: Forecasts) -> float | None:
    """Seconds of an arm by itself: its selection, and the training and evaluation of its seeds.

    None while those of one of its steps, a preparation that has never run, are not known.
    """
    name = arm["method"]
    named = study.named_methods[name]
    own = {f"{study.name}/{named.scores_asset}", f"{study.name}/{named.fit_asset}"}
    key = arm_key(name, arm["budget"])
    trained = {f"{study.name}/finetuned_checkpoint", f"{study.name}/eval_report"}
    shared = {preparation_step(study, name)}
    if named.method.needs_embeddings:
        shared.add(embedding_step(study))
    parts = [
        seconds
        for (asset, partition), (_, seconds) in expected.items()
        if asset in own or (asset in trained and partition == key) or (asset, partition) in shared
    ]
    known = [seconds for seconds in parts if seconds is not None]
    return sum(known) if len(known) == len(parts) else None
