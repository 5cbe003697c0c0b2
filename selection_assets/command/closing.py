"""What `selection run` prints when a study is up to date."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import LedgerRow, plan_errors, shares, totals
from resources.store.artifacts import UNPARTITIONED, Artifact
from selection.arms.evaluate import loss_matrix
from selection.config.study import Study
from selection.costs.charges import charges_table
from selection.judging.result import Arm
from selection.judging.timing import times_table
from selection.judging.underspent import underspent_notes
from selection.reports.closing import COLUMNS
from selection.reports.tables import text_table
from selection_assets.charging.charges import charges_of
from selection_assets.charging.seconds import TimedStudy
from selection_assets.charging.view import hardware, with_seconds
from selection_assets.stage.keys import arm_key
from selection_assets.stage.payers import standing_of

LINE_COLUMNS = {
    "line": "reference line",
    "loss": "target loss",
    "loss_low": "low",
    "loss_high": "high",
    "bits_per_byte": "bits per byte",
    "warm_up_flops": "warm-up FLOPs a seed",
}
SPENT_COLUMNS = {"steps": "steps", "flops": "FLOPs", "device_seconds": "device seconds"}


def closing_text(study: Study, ledger: Ledger, recomputed: str, not_read: str = "") -> str:
    """Lay out verdicts, reference lines, costs and where to look further.

    Parameters
    ----------
    recomputed : one line that says what the refresh did.
    not_read : what of the pool was not read, and why.
    """
    frontier = ledger.current(f"{study.name}/pareto_frontier", UNPARTITIONED)
    assert frontier is not None, "a refresh ends with the frontier"
    result = frontier.json("frontier.json")
    # Not every line has every figure.
    lines = [dict.fromkeys(LINE_COLUMNS) | line for line in result["reference"].values()]
    spent = [total for total in totals(ledger) if total["campaign"] in {study.name, study.pool}]
    parts = [
        f"{study.name}: verdicts at {study.evaluation.level:.0%} against random, equal total cost",
        records_table(COLUMNS, result["arms"]),
        "\n".join([*underspent_notes(result["arms"]), *result["length_limit"]]),
        records_table(LINE_COLUMNS, lines),
        *_times(study, ledger, result["arms"]),
        "distance of the rows to the target (exact OT by POT, equal numbers of rows)",
        _distances(result["arms"], study, ledger),
        "\n".join(
            f"not run: {arm['method']} at {arm['budget']}: {arm['reason']}"
            for arm in result["infeasible"]
        ),
        "spent so far, each step charged once, to whose work it is",
        totals_table(spent),
        "the same, shared work divided among the studies that use it",
        shares_table(ledger, study.name),
        cap_line(study, ledger),
        plan_errors_line(ledger, study.name),
        not_read,
        recomputed,
        "\n".join(["pictures:", *(f"  {path}" for path in pictures(frontier, study, ledger))]),
        "`make ui` opens all of it in the browser",
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def _times(study: Study, ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each arm cost in FLOPs and in seconds, verdicts at equal both, and who bears what."""
    reports = ledger.current_versions(f"{study.name}/eval_report")
    losses = {key: loss_matrix(report.table("examples.parquet")) for key, report in reports.items()}
    timed = TimedStudy.look_up(study, ledger)
    arms = [Arm(row, *losses[arm_key(row["method"], row["budget"])]) for row in rows]
    return [
        "each arm's selection and one seed's warm-up, and its verdict against random at equal FLOPs"
        f" and, between random's budgets, at equal seconds; measured on:"
        f" {'; '.join(hardware(study, ledger))}",
        text_table(
            *times_table(
                with_seconds(arms, timed),
                rows,
                level=study.evaluation.level,
                n_resamples=study.evaluation.n_resamples,
            )
        ),
        f"all that {study.name} and its pool {study.pool} have spent, and which arms bear it",
        text_table(*charges_table(charges_of(study, ledger, rows, timed))),
    ]


def stopped_text(
    assets: Sequence[str], study: Study, ledger: Ledger, recomputed: str, not_read: str = ""
) -> str:
    """Lay out what there is of some assets, and what has been spent.

    Parameters
    ----------
    assets : at which the refresh stopped, as `prefix/name`.
    recomputed, not_read : as in `closing_text`.
    """
    rows = [
        [asset, partition, str(artifact.folder)]
        for asset in assets
        for partition, artifact in sorted(ledger.current_versions(asset).items())
    ]
    spent = [total for total in totals(ledger) if total["campaign"] in {study.name, study.pool}]
    parts = [
        text_table(["asset", "partition", "in"], rows),
        "spent so far, each step charged once, to whose work it is",
        totals_table(spent),
        cap_line(study, ledger),
        not_read,
        recomputed,
        f"`selection run {study.name}` goes on from here",
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def records_table(columns: Mapping[str, str], records: Iterable[LedgerRow]) -> str:
    """Lay out records for a terminal, a column for each heading."""
    rows = [[record[name] for name in columns] for record in records]
    return text_table(list(columns.values()), rows)


def totals_table(spent: list[LedgerRow]) -> str:
    """Lay out the ledger's totals."""
    columns = {"campaign": "campaign", "state": "state"} | SPENT_COLUMNS
    return records_table(columns | {"wall_seconds": "wall seconds", "usd": "USD"}, spent)


def shares_table(ledger: Ledger, study: str | None) -> str:
    """Lay out what each study bears of its own work and of its pool's."""
    columns = {"bearer": "borne by", "campaign": "of the work of"} | SPENT_COLUMNS
    rows = [row for row in shares(ledger) if study in (None, row["bearer"])]
    return records_table(columns | {"usd": "USD"}, rows)


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
    stands = standing_of(study, ledger)
    if stands is None:
        return ""
    cap, spent = stands.cap, stands.cap.charge(stands.settled)
    return f"cap: {cap.show(cap.limit)}; spent {cap.show(spent)}, left {cap.show(stands.left)}"


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
