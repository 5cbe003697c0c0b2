"""What `selection run` prints when a study is up to date."""

from pathlib import Path
from statistics import median

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import Record, plan_errors, shares, totals
from resources.store.artifacts import UNPARTITIONED, Artifact
from selection.config.study import Study
from selection.reports.closing import COLUMNS
from selection.reports.tables import text_table
from selection_assets.stage.payers import cap_in_force

LINE_COLUMNS = {
    "loss": "target loss",
    "loss_low": "low",
    "loss_high": "high",
    "bits_per_byte": "bits per byte",
    "warm_up_flops": "warm-up FLOPs a seed",
}


def closing_text(study: Study, ledger: Ledger, recomputed: str) -> str:
    """Lay out verdicts, reference lines, costs and where to look further.

    Parameters
    ----------
    recomputed : one line that says what the refresh did.
    """
    frontier = ledger.current(f"{study.name}/pareto_frontier", UNPARTITIONED)
    assert frontier is not None, "a refresh ends with the frontier"
    result = frontier.json("frontier.json")
    arms = [[arm[column] for column in COLUMNS] for arm in result["arms"]]
    lines = [
        [name, *(line.get(column) for column in LINE_COLUMNS)]
        for name, line in result["reference"].items()
    ]
    spent = [total for total in totals(ledger) if total["campaign"] in {study.name, study.pool}]
    parts = [
        f"{study.name}: verdicts at {study.evaluation.level:.0%} against random, equal total cost",
        text_table(list(COLUMNS.values()), arms),
        text_table(["reference line", *LINE_COLUMNS.values()], lines),
        "distance of the rows to the target (exact OT by POT, equal numbers of rows)",
        _distances(result["arms"], study, ledger),
        *_reasons(result["infeasible"]),
        "spent so far, each step charged once, to whose work it is",
        totals_table(spent),
        "the same, shared work divided among the studies that use it",
        shares_table(ledger, study.name),
        cap_line(study, ledger),
        plan_errors_line(ledger, study.name),
        recomputed,
        "\n".join(["pictures:", *(f"  {path}" for path in pictures(frontier, study, ledger))]),
        "`make ui` opens all of it in the browser",
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def totals_table(spent: list[Record]) -> str:
    """Lay out the ledger's totals."""
    columns = {
        "campaign": "campaign",
        "state": "state",
        "steps": "steps",
        "flops": "FLOPs",
        "device_seconds": "device seconds",
        "wall_seconds": "wall seconds",
        "usd": "USD",
    }
    return text_table(list(columns.values()), [[total[c] for c in columns] for total in spent])


def shares_table(ledger: Ledger, study: str | None) -> str:
    """Lay out what each study bears of its own work and of its pool's."""
    columns = {
        "bearer": "borne by",
        "campaign": "of the work of",
        "steps": "steps",
        "flops": "FLOPs",
        "device_seconds": "device seconds",
        "usd": "USD",
    }
    rows = [row for row in shares(ledger) if study in (None, row["bearer"])]
    return text_table(list(columns.values()), [[row[c] for c in columns] for row in rows])


def plan_errors_line(ledger: Ledger, study: str) -> str:
    """One line: by how much the plan was wrong, as a median over assets."""
    found = plan_errors(ledger, study)
    said = []
    for kind, name in (("flops", "FLOPs"), ("seconds", "seconds")):
        errors = [abs(row[f"{kind}_error"]) for row in found if row[f"{kind}_error"] is not None]
        if errors:
            said.append(f"{median(errors):.1%} in {name} ({len(errors)} assets)")
    return f"the plan's error, median over assets: {', '.join(said)}" if said else ""


def cap_line(study: Study, ledger: Ledger) -> str:
    """One line: how the study stands against its cap; nothing without one."""
    cap = cap_in_force(study, ledger)
    if cap is None:
        return ""
    standing = ledger.spending.standing(study.name)
    spent = 0.0 if standing is None else cap.charge(standing.settled)
    left = cap.limit if standing is None else standing.left
    return f"cap: {cap.show(cap.limit)}; spent {cap.show(spent)}, left {cap.show(left)}"


def pictures(frontier: Artifact, study: Study, ledger: Ledger) -> list[Path]:
    """Pictures of the study as a whole, the frontier first; then the folder of each arm's."""
    artifacts = [frontier]
    for name in ("target_stats", "ot_potentials"):
        artifacts += ledger.current_versions(f"{study.name}/{name}").values()
    found = [path for artifact in artifacts for path in sorted(artifact.folder.glob("*.png"))]
    return [*found, ledger.artifacts / study.name / "eval_report"]


def _distances(arms: list[dict], study: Study, ledger: Ledger) -> str:
    reports = ledger.current_versions(f"{study.name}/eval_report").values()
    found = {(r["method"], r["budget"]): r for r in (a.json("report.json") for a in reports)}
    kinds = ("pool", "random", "subset")
    rows = []
    for arm in arms:
        distance = found[arm["method"], arm["budget"]]["ot_distance"]
        rows.append([arm["method"], arm["budget"], *(distance[kind] for kind in kinds)])
    return text_table(["method", "budget", *kinds], rows)


def _reasons(infeasible: list[dict]) -> list[str]:
    lines = [f"not run: {arm['method']} at {arm['budget']}: {arm['reason']}" for arm in infeasible]
    return ["\n".join(lines)] if lines else []
