"""`selection plan`: what every arm would cost, take and be worth, before anything expensive."""

from collections.abc import Iterator
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import plan_errors
from selection.config.study import Study
from selection.judging.width import width_text
from selection.reports.numbers import number
from selection.reports.tables import text_table
from selection_assets.command.cap import cap_line
from selection_assets.command.spent import plan_errors_line
from selection_assets.planning.current import current_plan, foreseen, trained_parameters
from selection_assets.planning.expected_loss import Quality, fit_quality
from selection_assets.planning.footprint import footprint_line
from selection_assets.planning.view import advice, arms_table, curves_table, usd, view_arms


def find_plan(study: Study, ledger: Ledger) -> list[dict[str, Any]]:
    """Every arm of the current plan, as `view_arms` gives it."""
    plan = current_plan(study, ledger)
    parameters = trained_parameters(study, plan)
    return view_arms(
        study,
        plan["arms"],
        foreseen(study, ledger),
        fit_quality(study, ledger, parameters),
        parameters,
    )


def plan_text(study: Study, ledger: Ledger, arms: list[dict[str, Any]]) -> str:
    """Lay the plan out, with what the whole study takes, advice, and how right the plan was."""
    plan = current_plan(study, ledger)
    parameters = trained_parameters(study, plan)
    parts = [
        f"{study.name}: what it would take (FLOPs by the accountant `{study.accountant}`)",
        text_table(*arms_table(arms)),
        "\n".join([*_totals(study, ledger, plan), footprint_line(plan)]),
        "" if parameters is None else advice(parameters),
        _quality_text(fit_quality(study, ledger, parameters), arms) if study.trains else "",
        _errors_text(study, ledger),
    ]
    return "\n\n".join(part for part in parts if part)


def price_text(study: Study, ledger: Ledger, arms: list[dict[str, Any]]) -> str:
    """Lay out what selecting takes: the part of the plan that is needed to go on or not."""
    plan = current_plan(study, ledger)
    parts = [
        f"{study.name}: what it would take (FLOPs by the accountant `{study.accountant}`)",
        text_table(*arms_table(arms)),
        "\n".join([*_totals(study, ledger, plan), footprint_line(plan)]),
    ]
    return "\n\n".join(parts)


def _totals(study: Study, ledger: Ledger, plan: dict[str, Any]) -> Iterator[str]:
    full_data = plan["full_data"]
    expected = foreseen(study, ledger)
    flops = sum(flops for flops, _ in expected.values())
    known = [seconds for _, seconds in expected.values() if seconds is not None]
    money = usd(study, sum(known))
    price = f", {number(money)} USD" if money is not None else ""
    time = "at least " * (len(known) < len(expected)) + number(sum(known))
    yield f"the whole study: {number(flops)} FLOPs, {time} s on this device{price}"
    if study.trains:
        yield f"how wide verdicts will be at least: {width_text(plan['test_rows'])}"
    if study.trains and not full_data["feasible"]:
        yield f"without the full-data line: {full_data['reason']}"
    yield cap_line(study, ledger) or (
        "no cap: give the study one with `cap: {flops: 2e15}` (or device_hours, usd)"
    )


def _quality_text(quality: Quality, arms: list[dict[str, Any]]) -> str:
    if quality.curves is None:
        return f"no expected losses: {quality.why_not}"
    return (
        "expected losses: the offset form of P(k) fitted to the current reports; lambda with its"
        " interval, and the total FLOPs from which on a method is ahead of random\n"
        f"{text_table(*curves_table(quality, arms))}"
    )


def _errors_text(study: Study, ledger: Ledger) -> str:
    """How wrong the plan was, by asset, for what has been materialized."""
    found = plan_errors(ledger, study.name)
    if not found:
        return ""
    columns = ["asset", "steps", "planned_flops", "flops", "planned_seconds", "device_seconds"]
    table = text_table(
        ["asset", "steps", "planned FLOPs", "FLOPs", "planned seconds", "seconds"],
        [[row[name] for name in columns] for row in found],
    )
    said = plan_errors_line(ledger, study.name)
    return f"how right plans were, over what has run\n\n{table}\n\n{said}"
