"""A finished study as the plain data that conclusions are drawn from."""

from collections.abc import Sequence
from typing import Any

from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.judging.result import Arm, PoolFacts, SelectionCost, StudyResult

VARIANTS = ("variant", "band")
"""Options that make of one method several."""


def study_result(
    study: Study, plan: dict[str, Any], frontier: dict[str, Any], arms: Sequence[Arm]
) -> StudyResult:
    """Put together what a study has found.

    Parameters
    ----------
    plan, frontier : content of `plan.json` and of `frontier.json`.
    arms : those of the frontier, with their losses.
    """
    budgets = {arm["budget"]: arm["total_flops"] for arm in plan["arms"]}
    return StudyResult(
        name=study.name,
        labelled=any(arm.figures["accuracy"] is not None for arm in arms),
        arms=arms,
        budgets=dict(sorted(budgets.items(), key=lambda item: item[1])),
        lines=frontier["reference"],
        infeasible=frontier["infeasible"],
        costs={
            name: SelectionCost(cost["parts"], frozenset(cost["shared"]))
            for name, cost in plan["costs"].items()
        },
        kinds={name: _kind(named) for name, named in study.named_methods.items()},
        pool=PoolFacts(
            study.pool,
            plan["pool"]["rows"],
            plan["pool"]["tokens"],
            plan["epoch_flops"],
            plan["block_flops"],
            plan["parameters"]["base"],
            plan["parameters"].get("selector"),
        ),
        level=study.evaluation.level,
        n_resamples=study.evaluation.n_resamples,
    )


def _kind(named: NamedMethod) -> str:
    """What a method is: its name in the registry, its variant, and options unlike the defaults."""
    options = named.options.model_dump()
    variant = [options[name] for name in VARIANTS if name in options]
    changed = [
        f"{name}={value}"
        for name, value in named.options.model_dump(exclude_defaults=True).items()
        if name not in VARIANTS
    ]
    return " ".join([named.method.name, *variant, *changed])
