"""The plan that a study goes by now."""

from collections.abc import Mapping
from typing import Any

from resources.device import Device
from resources.ledger.history import rates_seen
from resources.ledger.ledger import Ledger
from resources.store.artifacts import UNPARTITIONED
from selection.config.study import Study
from selection_assets.planning.steps import embedding_step, models_step


def find_current_plan(study: Study, ledger: Ledger) -> dict[str, Any] | None:
    """Content of the `plan.json` in force, if the study has been planned."""
    plan = ledger.current(f"{study.name}/budget_plan", UNPARTITIONED)
    return None if plan is None else plan.json("plan.json")


def current_plan(study: Study, ledger: Ledger) -> dict[str, Any]:
    """Content of the `plan.json` in force, where there must be one."""
    plan = find_current_plan(study, ledger)
    assert plan is not None, "arms and lines come after their plan"
    return plan


def trained_parameters(study: Study, plan: Mapping[str, Any]) -> int | None:
    """Parameters of the base model, by a plan; None for a study that trains none."""
    return plan["parameters"]["base"] if study.trains else None


def seconds_left(study: Study, ledger: Ledger) -> float | None:
    """Seconds that a planned study still takes on this device, by what is known of its steps.

    None without a plan. What nobody has timed here, such as a first preparation, is not counted.
    """
    if find_current_plan(study, ledger) is None:
        return None
    made = ledger.current_identities().keys()
    names = {asset.rpartition("/")[2] for asset, _ in made if asset.startswith(f"{study.pool}/")}
    shared = {embedding_step(study): "corpus_embeddings", models_step(study): "base_checkpoint"}
    return sum(
        seconds or 0.0
        for step, (_, seconds) in foreseen(study, ledger).items()
        if (shared[step] not in names if step in shared else step not in made)
    )


def foreseen(study: Study, ledger: Ledger) -> dict[tuple[str, str], tuple[float, float | None]]:
    """(asset, partition) of each step of the plan in force: its FLOPs, and its seconds.

    What has run since the plan was made has shown how fast it is.
    """
    seen = rates_seen(ledger, Device().model_name)
    return {
        (asset, partition): (flops, seen[asset].seconds(flops) if asset in seen else seconds)
        for (asset, partition), (flops, seconds) in ledger.spending.forecasts(study.name).items()
    }
