"""pareto_frontier: all arms against cost, and the verdict on each."""

import dagster as dg

from resources.store.artifacts import Artifact
from selection.arms.evaluate import loss_matrix
from selection.config.study import Study
from selection.costs.charges import charges_table
from selection.curves import Point, loss_point
from selection.judging.judged import frontier_rows, judge_arms
from selection.judging.result import Arm, arm_figures
from selection.judging.sharing import break_evens
from selection.judging.timing import times_table
from selection.judging.underspent import underspent_notes
from selection.reports.closing import COLUMNS
from selection.reports.plots.frontier import loss_frontier
from selection.reports.tables import markdown_table
from selection_assets.charging.charges import charges_of
from selection_assets.charging.seconds import TimedStudy
from selection_assets.charging.view import hardware, with_seconds
from selection_assets.shared.study_result import study_result
from selection_assets.stage.inputs import all_of, of_study
from selection_assets.stage.keys import REFERENCE_LINES, arm_key, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step


def build_pareto_frontier(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "pareto_frontier"),
        campaign=study.name,
        ins={
            "budget_plan": of_study(study, "budget_plan"),
            "eval_report": all_of(study, "eval_report"),
            "reference_report": all_of(study, "reference_report"),
        },
        parameters={"evaluation": study.evaluation},
        some_inputs_may_lack=True,
        payers=[study],
        checks={"every_feasible_arm_reported": "No arm that can be afforded is left out."},
    )
    def pareto_frontier(step: Step) -> Draft:
        """`frontier.json`, `frontier.md`, `frontier.png`, and from how many targets each pays."""
        planned = step.one("budget_plan").json("plan.json")
        eval_report = step.inputs["eval_report"]
        reference_report = step.inputs["reference_report"]
        plan, full_data = planned["arms"], planned["full_data"]
        keys = [arm_key(arm["method"], arm["budget"]) for arm in plan if arm["feasible"]]
        # An arm that the cap has kept from running is left out, and named; a report of an earlier
        # version of it may still be there.
        refusals = step.workspace.ledger.spending.refusals(study.name)
        stopped = {partition for _, partition in refusals}
        lacking = [key for key in keys if key not in eval_report or key in stopped]
        refused = _refused(study, plan, lacking, refusals)
        reports = [eval_report[key] for key in keys if key not in lacking]
        arms = [_arm(report) for report in reports]
        # All arms of a study have the same limit, and the same pool.
        limits = list(dict.fromkeys(r.json("report.json")["length_limit"] for r in reports))
        level, n_resamples = study.evaluation.level, study.evaluation.n_resamples
        rows = frontier_rows(arms, judge_arms(arms, level=level, n_resamples=n_resamples))
        lines = {
            line: reference_report[line].json("report.json")
            for line in REFERENCE_LINES
            if line in reference_report
        }
        losses = {line: report["loss"] for line, report in lines.items()}
        png = loss_frontier(
            [_point(row) for row in rows if not row["underspent"]],
            apart=[_point(row) for row in rows if row["underspent"]],
            zero_shot=losses.get("zero_shot"),
            full_data=losses.get("full_data"),
        )
        table = markdown_table(list(COLUMNS.values()), [[r[c] for c in COLUMNS] for r in rows])
        infeasible = [arm for arm in plan if not arm["feasible"]] + refused
        notes = [*underspent_notes(rows), *limits]
        notes += [f"{a['method']} at {a['budget']} was not run: {a['reason']}." for a in infeasible]
        if not full_data["feasible"]:
            notes.append(f"The full-data line was not run: {full_data['reason']}.")
        text = "\n\n".join([table, _lines_table(lines), *notes])
        frontier = {
            "arms": rows,
            "reference": lines,
            "infeasible": infeasible,
            "length_limit": limits,
        }
        sharing = break_evens(study_result(study, planned, frontier, arms))
        # Seconds are measured and never the same twice: they are shown, and no part of the content.
        ledger = step.workspace.ledger
        timed = TimedStudy.look_up(study, ledger)
        times = markdown_table(
            *times_table(with_seconds(arms, timed), rows, level=level, n_resamples=n_resamples)
        )
        charges = markdown_table(*charges_table(charges_of(study, ledger, rows, timed)))
        return Draft(
            files={
                "frontier.json": frontier,
                "frontier.md": text,
                "frontier.png": png,
                "break_even.md": sharing.table,
                **sharing.pictures,
            },
            rows=len(rows),
            facts={
                "verdicts": dg.MetadataValue.md(text),
                "seconds": dg.MetadataValue.md(times),
                "measured_on": ", ".join(hardware(study, ledger)),
                "charged": dg.MetadataValue.md(charges),
                "frontier": png,
                "break_even": dg.MetadataValue.md(sharing.table),
                **sharing.pictures,
            },
            checks=[
                Check(
                    "every_feasible_arm_reported",
                    len(refused) == len(lacking),
                    {"lacking": lacking},
                )
            ],
        )

    return pareto_frontier


def _arm(report: Artifact) -> Arm:
    losses = loss_matrix(report.table("examples.parquet"))
    return Arm(arm_figures(report.json("report.json")), *losses)


def _point(row: dict) -> Point:
    low, high = row["loss_low"], row["loss_high"]
    return loss_point(row["total_flops"], row["loss"], row["method"], low=low, high=high)


def _lines_table(lines: dict[str, dict]) -> str:
    names = ("loss", "bits_per_byte", "accuracy", "macro_f1")
    rows = [[line, *(report.get(name) for name in names)] for line, report in lines.items()]
    return markdown_table(["reference line", *names], rows)


def _refused(
    study: Study, plan: list[dict], lacking: list[str], refusals: dict[tuple[str, str], str]
) -> list[dict]:
    """The arms without a report, if the cap has kept them, or something they need, from running."""
    if not refusals:
        return []
    arms = {arm_key(arm["method"], arm["budget"]): arm for arm in plan}
    found = []
    for key in lacking:
        own = [f"{study.name}/{name}" for name in ("finetuned_checkpoint", "eval_report")]
        said = [refusals[asset, key] for asset in own if (asset, key) in refusals]
        reason = said[0] if said else f"what it needs did not run: {next(iter(refusals.values()))}"
        found.append(arms[key] | {"feasible": False, "reason": reason})
    return found
