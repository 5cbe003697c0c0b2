"""A method that cannot rank the pool for the target keeps no other method from its verdict."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import current, printed_json, selection
from small_project import Project, enter
from smallest_study import NAME

METHODS = {
    "random": None,
    "length": None,
    "words": {"method": "bm25"},
    "dsir": {"draw": "top", "buckets": 64},
}
REFUSED = ["dsir", "words"]
SAID = (
    "it ranks by words that pool and target share, and the pool has 0.00% of the words of this"
    " target's rows (at least 1% are needed): add sources in the target's language, or take the"
    " method out of the study's `methods`"
)


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest study, of which nothing has run, with a target in Russian."""
    root = Path(shutil.copytree(fresh, tmp_path / "project"))
    path = root / "target.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    words = ["суд", "вынес", "решение", "и", "отменил", "другие", "приказы", "министра"]
    for number, row in enumerate(rows):
        row["text"] = " ".join(words[number % 8 :] + words[: number % 5]) + f" {number}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_methods(root, METHODS)
    yield from enter(Project(root))


def write_methods(root: Path, methods: dict[str, Any]) -> None:
    path = root / f"studies/{NAME}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"methods": methods}))


def test_it_is_said_before_anything_is_spent(project):
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 2
    assert "it would do without 2 of its sources and methods" in result.stderr
    for name in REFUSED:
        assert f"methods.{name}: its arms do not run, by these rows: {SAID}\n" in result.stdout
    assert project.ledger.query("SELECT * FROM spend") == []


def test_the_other_methods_run_and_the_report_names_those_that_refused(project):
    result = selection("run", NAME)
    assert result.exit_code == 0, result.output
    frontier = current(project, f"{NAME}/pareto_frontier")
    found = frontier.json("frontier.json")
    assert sorted(row["method"] for row in found["arms"]) == ["length", "random"]
    assert sorted(arm["method"] for arm in found["infeasible"]) == REFUSED
    assert {arm["reason"] for arm in found["infeasible"]} == {SAID}
    for name in REFUSED:
        assert f"not run: {name} at 40pct: {SAID}\n" in result.stdout
        assert f"{name} at 40pct was not run: {SAID}." in frontier.path("frontier.md").read_text()
    planned = {arm["method"]: arm for arm in printed_json("plan", NAME)}
    assert [name for name, arm in sorted(planned.items()) if not arm["feasible"]] == REFUSED
    assert {planned[name]["reason"] for name in REFUSED} == {SAID}
    # Nothing was made for them either.
    made = {asset for asset, _ in project.ledger.current_identities()}
    assert not [asset for asset in made if "bm25" in asset or "ngram" in asset or "dsir" in asset]
    again = selection("run", NAME)
    assert again.exit_code == 0 and "nothing recomputed" in again.stdout


def test_where_no_other_method_is_left_the_plan_says_so_and_nothing_else_runs(project):
    write_methods(project.root, {"random": None, "bm25": None})
    result = selection("run", NAME)
    assert result.exit_code == 1
    assert f"not feasible because: bm25 at 40pct: {SAID}" in result.stderr
    assert "larger `budgets`" not in result.stderr
    assert project.ledger.current_versions(f"{NAME}/selected_subset") == {}


def test_the_plan_has_the_last_word_for_it_reads_all_rows(project):
    with (project.root / "drop/email.jsonl").open("a") as file:
        file.write(json.dumps({"text": "Министра отменил суд."}) + "\n")
    assert "methods.words: its arms do not run" in selection("run", NAME, "--dry-run").stdout
    assert all(arm["feasible"] for arm in printed_json("plan", NAME))
