"""Write one part of docs/results.md from finished studies' own artifacts.

`python -m docs.results --part study ag_news chemprot ...`; other parts of the page stay as they
are. Here artifacts are read and files written; what they mean is the other files' answer.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from docs.results.markers import put_part
from docs.results.page import Made, make_part
from resources.ledger.ledger import Ledger
from resources.store.artifacts import UNPARTITIONED, Artifact
from resources.workspace import Workspace
from selection.arms.evaluate import loss_matrix
from selection.config.study import Study
from selection.costs.charges import Charge
from selection.judging.result import Arm, StudyResult
from selection_assets.charging.charges import charges_of
from selection_assets.charging.seconds import TimedStudy
from selection_assets.charging.view import hardware, with_seconds
from selection_assets.shared.study_result import study_result
from selection_assets.stage.keys import arm_key
from selection_assets.studies import load_studies

DOCS = Path(__file__).resolve().parents[1]
HEAD = """# Results

Each part is written by the commands that it names, from the studies' own artifacts."""


def read_study(study: Study, ledger: Ledger) -> StudyResult:
    """One finished study as plain data."""
    frontier = current(ledger, study, f"{study.name}/pareto_frontier").json("frontier.json")
    plan = current(ledger, study, f"{study.name}/budget_plan").json("plan.json")
    arms = [read_arm(study, figures, ledger) for figures in frontier["arms"]]
    if not arms:
        raise SystemExit(f"study {study.name}: no arm has run")
    timed = TimedStudy.look_up(study, ledger)
    return study_result(study, plan, frontier, with_seconds(arms, timed))


def read_arm(study: Study, figures: dict, ledger: Ledger) -> Arm:
    """One arm's losses and rows; its report must be the one that the frontier saw."""
    key = arm_key(figures["method"], figures["budget"])
    evaluated = current(ledger, study, f"{study.name}/eval_report", key)
    report = evaluated.json("report.json")
    if report["after"]["loss"] != figures["loss"]:
        raise SystemExit(
            f"study {study.name}: the report of {key} is newer than the frontier: "
            f"`selection run {study.name}`"
        )
    subset = current(ledger, study, f"{study.name}/selected_subset", key)
    selected: dict[int, set[str]] = {}
    rows = subset.table("subset.parquet", ["draw", "row_id", "source"]).to_pylist()
    for row in rows:
        selected.setdefault(row["draw"], set()).add(row["row_id"])
    return Arm(
        figures,
        *loss_matrix(evaluated.table("examples.parquet")),
        {draw: frozenset(row_ids) for draw, row_ids in selected.items()},
        Counter(row["source"] for row in rows),
        report["ot_distance"],
    )


def charges(study: Study, ledger: Ledger, result: StudyResult) -> list[Charge]:
    """All that a study and its pool have spent, and which of its arms bear it."""
    figures = [arm.figures for arm in result.arms]
    return charges_of(study, ledger, figures, TimedStudy.look_up(study, ledger))


def current(ledger: Ledger, study: Study, asset: str, partition: str = UNPARTITIONED) -> Artifact:
    """An artifact that a finished study has."""
    found = ledger.current(asset, partition)
    if found is None:
        raise SystemExit(f"{asset} [{partition}] is not there: `selection run {study.name}`")
    return found


def write(names: Sequence[str], part: str, commands: Sequence[str], docs: Path) -> None:
    """Write a part of the page, and its pictures."""
    known = load_studies()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no study {', '.join(unknown)}; known: {', '.join(known)}")
    ledger, studies = Workspace().ledger, [known[name] for name in names]
    own = [f"selection run {name}" for name in names]
    own += [f"python -m docs.results --part {part} {' '.join(names)}"]
    results = [read_study(study, ledger) for study in studies]
    made = Made(
        part,
        commands or own,
        sorted(set().union(*(hardware(study, ledger) for study in studies))),
        {s.name: charges(s, ledger, r) for s, r in zip(studies, results, strict=True)},
    )
    frontiers = {
        study.name: current(ledger, study, f"{study.name}/pareto_frontier")
        .path("frontier.png")
        .read_bytes()
        for study in studies
    }
    written = make_part(results, made, pictures=frontiers)
    (docs / "images").mkdir(exist_ok=True)
    for name, png in written.pictures.items():
        (docs / "images" / name).write_bytes(png)
    page = docs / "results.md"
    before = page.read_text(encoding="utf-8") if page.is_file() else HEAD
    page.write_text(put_part(before, part, f"## {part}\n\n{written.text}"), encoding="utf-8")
    quote(docs.parent / "README.md", part, written.quoted)


def quote(readme: Path, part: str, quoted: str) -> None:
    """Renew what a README quotes of a part, if it quotes any."""
    before = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if f"<!-- part {part} -->" in before:
        readme.write_text(put_part(before, part, quoted), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", help="names of finished studies")
    parser.add_argument("--part", required=True, help="name of the part of the page to write")
    parser.add_argument(
        "--made-by", action="append", default=[], help="a command to name; may be repeated"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of results.md")
    given = parser.parse_args()
    write(given.studies, given.part, given.made_by, given.docs)


if __name__ == "__main__":
    main()
