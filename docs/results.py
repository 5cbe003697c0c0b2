"""Write docs/results.md from the finished studies' own artifacts: `make results`."""

import sys
from pathlib import Path

from resources.artifacts import UNPARTITIONED
from resources.ledger import Ledger
from resources.workspace import Workspace
from selection.reports import markdown_table, number
from selection_assets.keys import arm_key
from selection_assets.studies import load_studies

DOCS = Path(__file__).parent

COMPARED = {
    "method": "method",
    "budget": "budget",
    "rows": "rows",
    "loss": "target loss",
    "loss_low": "low",
    "loss_high": "high",
    "difference": "minus random",
    "difference_low": "from",
    "difference_high": "to",
    "verdict": "verdict",
}
LINES = ("loss", "bits_per_byte", "accuracy", "macro_f1")


def section(name: str, ledger: Ledger) -> str:
    """One study: verdicts, reference lines, where each method picked, and its picture."""
    frontier = ledger.current(f"{name}/pareto_frontier", UNPARTITIONED)
    if frontier is None:
        raise SystemExit(f"study {name} has not run: `selection run {name}`")
    result = frontier.json("frontier.json")
    picture = DOCS / "images" / f"{name}_frontier.png"
    picture.write_bytes(frontier.path("frontier.png").read_bytes())
    labelled = result["arms"][0]["accuracy"] is not None
    columns = COMPARED | ({"accuracy": "accuracy", "macro_f1": "macro F1"} if labelled else {})
    arms = [[arm[column] for column in columns] for arm in result["arms"]]
    lines = [[line, *(r.get(k) for k in LINES)] for line, r in result["reference"].items()]
    where = [_where(name, arm, ledger) for arm in result["arms"]]
    return "\n\n".join(
        [
            f"## {name}",
            _facts(name, ledger),
            markdown_table(list(columns.values()), arms),
            *_one_label(result["arms"]),
            *(
                f"Not run: {a['method']} at {a['budget']}: {a['reason']}."
                for a in result["infeasible"]
            ),
            markdown_table(["reference line", *LINES], lines),
            "Distance of the selected rows to the target (exact OT by POT, equal numbers of rows), "
            "and the three sources that gave most of them:",
            markdown_table(["method", "budget", "pool", "random", "subset", "sources"], where),
            f"![{name}: target loss against total FLOPs](images/{picture.name})",
        ]
    )


def _one_label(arms: list[dict]) -> list[str]:
    accuracies = {arm["accuracy"] for arm in arms}
    if len(accuracies) > 1 or None in accuracies:
        return []
    return [
        "Every arm has the same accuracy: after so little tuning a model of this size answers one "
        "label whatever the text, so only the losses tell the arms apart."
    ]


def _facts(name: str, ledger: Ledger) -> str:
    plan = ledger.current(f"{name}/budget_plan", UNPARTITIONED)
    stats = ledger.current(f"{name}/target_stats", UNPARTITIONED)
    assert plan is not None and stats is not None, "the frontier comes after both"
    pool = plan.json("plan.json")["pool"]
    return (
        f"Pool of {pool['rows']:,} rows and {pool['tokens']:,} tokens of the base model; one epoch "
        f"costs {number(plan.json('plan.json')['epoch_flops'])} FLOPs. Nearest source to the "
        f"target by OT distance: {stats.json('stats.json')['nearest_source']}."
    )


def _where(name: str, arm: dict, ledger: Ledger) -> list:
    key = arm_key(arm["method"], arm["budget"])
    report = ledger.current(f"{name}/eval_report", key)
    subset = ledger.current(f"{name}/selected_subset", key)
    assert report is not None and subset is not None, "the frontier comes after both"
    distances = report.json("report.json")["ot_distance"]
    sources = subset.table("subset.parquet", ["source"])["source"].value_counts().to_pylist()
    total = sum(entry["counts"] for entry in sources)
    first = sorted(sources, key=lambda entry: -entry["counts"])[:3]
    named = ", ".join(f"{e['values']} {e['counts'] / total:.0%}" for e in first)
    return [
        arm["method"],
        arm["budget"],
        *(distances[k] for k in ("pool", "random", "subset")),
        named,
    ]


def main(names: list[str]) -> None:
    """Write the page."""
    (DOCS / "images").mkdir(exist_ok=True)
    known = load_studies()
    for name in names:
        if name not in known:
            raise SystemExit(f"no study {name!r}; known: {', '.join(known)}")
    ledger = Workspace().ledger
    head = (
        "# Results\n\nWritten by `make results` from the studies' own artifacts. Losses are nats "
        "per token on the target's held-out split, after warm-up on the selected rows and "
        "fine-tuning on the target; the intervals are over examples and seeds. Each verdict "
        "compares an arm with random at equal total cost, selection included."
    )
    page = "\n\n".join([head, *(section(name, ledger) for name in names)]) + "\n"
    (DOCS / "results.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
