"""What `selection run` prints when a study is up to date."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import totals
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
from selection_assets.command.cap import cap_line
from selection_assets.command.spent import (
    plan_errors_line,
    records_table,
    shares_table,
    totals_table,
)
from selection_assets.stage.keys import arm_key

LINE_COLUMNS = {
    "line": "reference line",
    "loss": "target loss",
    "loss_low": "low",
    "loss_high": "high",
    "bits_per_byte": "bits per byte",
    "warm_up_flops": "warm-up FLOPs a seed",
}


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
        " and, between random's budgets, at equal seconds, each corrected for the number of arms;"
        " measured on:"
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


def pictures(frontier: Artifact, study: Study, ledger: Ledger) -> list[Path]:
    """Pictures of the study as a whole, the frontier first; then the folder of each arm's."""
    artifacts = [frontier]
    for name in ("target_stats", "ot_potentials"):
        artifacts += ledger.current_versions(f"{study.name}/{name}").values()
    found = [a.path(name) for a in artifacts for name in a.files() if name.endswith(".png")]
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
