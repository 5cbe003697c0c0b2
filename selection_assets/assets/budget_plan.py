"""budget_plan: what every arm would cost, before anything expensive runs."""

from dataclasses import asdict

import dagster as dg

from resources.ledger.history import rates_seen
from resources.refused import refused
from resources.workspace import Workspace
from selection.budget.amounts import Amount, Cap
from selection.config.study import Study
from selection.planning.arms import block_flops, cost_parts, selection_costs
from selection.planning.within_cap import WithinCap
from selection.reports.plots.plan import budget_bars
from selection.reports.tables import markdown_table
from selection_assets.planning.expected_loss import fit_quality
from selection_assets.planning.footprint import find_footprint
from selection_assets.planning.inputs import PlanInputs
from selection_assets.planning.rates import RateProbe
from selection_assets.planning.steps import StudyPlan, workload
from selection_assets.planning.view import advice, arms_table, curves_table, usd, view_arms
from selection_assets.shared.contrast import EXAMPLES
from selection_assets.shared.decoders import decoders_of, tokens_asset
from selection_assets.shared.evaluation import harness_outside
from selection_assets.stage.inputs import (
    decoder_part,
    embedder_model,
    of_study,
    pool_costs,
    whole_pool,
    whole_pool_tokens,
)
from selection_assets.stage.keys import study_key
from selection_assets.stage.payers import cap_in_force
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step

COLUMNS = (
    "method",
    "budget",
    "total_flops",
    "selection_flops",
    "training_flops",
    "rows",
    "feasible",
    "reason",
)


def build_budget_plan(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "budget_plan"),
        campaign=study.name,
        # Whose costs it asks, and what they refuse.
        also_code=[type(named.method) for named in study.named_methods.values()],
        ins={
            "raw_corpus": whole_pool(study),
            "target_examples": of_study(study, "target_examples"),
            **_decoder_inputs(study),
            "embedder": embedder_model(study),
            **({} if study.contrast is None else {EXAMPLES: of_study(study, EXAMPLES)}),
        },
        parameters={
            "base_model": study.base_model,
            "selector": study.selector.model_dump() if study.selector is not None else {},
            "methods": study.methods,
            "shared_by": study.shared_by,
            "budgets": [budget.model_dump() for budget in study.budgets],
            "seeds": study.seeds,
            "full_data_seeds": study.full_data_seeds,
            "accountant": study.accountant,
            "warm_up": study.warm_up,
            "fine_tuning": study.fine_tuning,
            "train_on": study.train_on,
            "harness": study.evaluation.harness,
        },
        outside=lambda _: _cap_version(study) | harness_outside(study),
        # What it measures it charges as it goes; counting costs nothing.
        expects=lambda _: Expected(0.0),
        costly=True,
        metered=True,
        payers=[study],
        checks={"an_arm_is_feasible": "At least one arm besides random can run."},
    )
    def budget_plan(step: Step) -> Draft:
        """`plan.json`: every arm with what it costs, what it buys, and why it cannot run.

        What each step is expected to take, in FLOPs and in seconds on this device, goes to the
        ledger: a step without a forecast does not start.
        """
        known, workspace = PlanInputs.read(step, study), step.workspace
        size, shape = known.size, known.shapes.get("base")
        seen = rates_seen(workspace.ledger, step.device.model_name)
        plan = StudyPlan(study, shape, size, workload(known), seen, known.refusals)
        cap = cap_in_force(study, workspace.ledger)
        spending = workspace.ledger.spending
        sunk = spending.sunk(study.name, asset=step.identity.asset)
        _check_something_fits(study, plan.within(cap, None, sunk), cap)
        footprint = find_footprint(study, workspace.ledger, step.inputs["raw_corpus"], size)
        throughput = workspace.throughput(step.device.model_name)
        rates = RateProbe(throughput, known).all()
        within = plan.within(cap, rates, sunk + Amount(throughput.flops_spent))
        _check_something_fits(study, within, cap)
        forecast = plan.forecast(within, rates)
        spending.foresee(study.name, forecast)
        arms = [asdict(arm) for arm in within.arms]
        table = markdown_table(COLUMNS, [[arm[name] for name in COLUMNS] for arm in arms])
        parameters = shape.parameters if shape is not None and study.trains else None
        quality = fit_quality(study, workspace.ledger, parameters)
        shown = view_arms(study, arms, forecast, quality, parameters)
        picture = budget_bars(within.arms)
        feasible = [arm["method"] for arm in arms if arm["feasible"]]
        too_dear = [arm for arm in within.arms if not (arm.feasible or arm.method_refuses)]
        whys = [f"{a.method} at {a.budget}: {a.reason}" for a in within.arms if not a.feasible]
        return Draft(
            files={
                "plan.json": {
                    "arms": arms,
                    "full_data": {"feasible": within.full_data, "reason": within.reason},
                    "pool": size.summary(),
                    "test_rows": len(known.examples["test"]),
                    "costs": {
                        name: cost_parts(cost)
                        for name, cost in selection_costs(study, size).items()
                    },
                    "footprint": footprint,
                    "epoch_flops": plan.epoch_flops,
                    "block_flops": None if shape is None else block_flops(study, shape),
                    "parameters": {role: its.parameters for role, its in known.shapes.items()},
                },
                "plan.md": table,
                "plan.png": picture,
            },
            rows=len(arms),
            flops=throughput.flops_spent,
            accountant=study.accountant,
            facts={
                "plan": dg.MetadataValue.md(markdown_table(*arms_table(shown))),
                "expected_losses": dg.MetadataValue.md(
                    quality.why_not or markdown_table(*curves_table(quality, shown))
                ),
                **({} if parameters is None else {"advice": advice(parameters)}),
                "arms": picture,
                **({} if shape is None else {"epoch_flops": plan.epoch_flops}),
                "pool_tokens": size.tokens,
                "expected_memory": footprint["memory"],
                "expected_disk": footprint["disk"],
                "expected_flops": sum(flops for flops, _ in forecast.values()),
                "expected_seconds": sum(seconds or 0.0 for _, seconds in forecast.values()),
                "expected_usd": usd(study, sum(s or 0.0 for _, s in forecast.values())),
                "rates": {kind: asdict(rate) for kind, rate in rates.items()},
            },
            checks=[
                Check(
                    "an_arm_is_feasible",
                    any(method != "random" for method in feasible)
                    or set(study.methods) == {"random"},
                    {"feasible": feasible, "not_feasible_because": whys[:3]},
                    # What a method refuses has its remedy beside it.
                    remedy=_remedy(study, cap) if too_dear else "",
                )
            ],
        )

    return budget_plan


def _remedy(study: Study, cap: Cap | None) -> str:
    raised = "" if cap is None else f", or raise the cap: selection cap {study.name}"
    return f"take larger `budgets`{raised}"


def _decoder_inputs(study: Study) -> dict[str, dg.AssetIn]:
    """Each decoder's tokenizer, and how many tokens it finds in the pool."""
    found = pool_costs(study)
    for role, decoder in decoders_of(study).items():
        tokenizer, tokens = f"{role}_tokenizer", tokens_asset(role)
        found[tokenizer] = decoder_part(study, decoder, tokenizer)
        found[tokens] = whole_pool_tokens(study, decoder, tokens)
    return found


def _cap_version(study: Study) -> dict[str, str]:
    cap = cap_in_force(study, Workspace().ledger)
    return {} if cap is None else {"cap": cap.show(cap.limit)}


def _check_something_fits(study: Study, within: WithinCap, cap: Cap | None) -> None:
    """Stop before anything is spent on a study of which no arm fits under its cap."""
    willing = [arm for arm in within.arms if not arm.method_refuses]
    if cap is None or not willing or any(arm.feasible for arm in willing):
        return
    reasons = [f"{arm.method} at {arm.budget}: {arm.reason}" for arm in within.arms]
    raise refused(
        f"study {study.name}: no arm fits under its cap of {cap.show(cap.limit)}, so nothing is"
        " spent on it. Raise the cap with `selection cap`, or take smaller budgets or fewer seeds."
        f" {'; '.join(reasons)}"
    )
