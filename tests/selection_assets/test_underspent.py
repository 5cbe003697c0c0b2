"""Long rows and an arm that cannot spend its budget, from the pool's files to the closing table."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from command_line import current, selection
from shared_builds import built_once
from small_project import Project, docstring_lines, enter
from smallest_study import NAME, SOURCES

LIMIT = 150
LONGEST = "Every line of the protocol is read, parsed and answered in turn. " * 60
LONG = [f"Part {number}: {docstrings}" for number, docstrings in enumerate([LONGEST] * 3)]
RANDOM, OT = "60pct|random", "60pct|ot"


def write_long_rows(root: Path) -> None:
    """`ot` may take rows of one of two equal sources; three rows are longer than the limit."""
    for source in SOURCES:
        lines = docstring_lines(source).splitlines(keepends=True)[:60]
        (root / f"drop/{source}.jsonl").write_text("".join(lines))
    with (root / "drop/email.jsonl").open("a") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in LONG)
    path = root / f"studies/{NAME}.yaml"
    study = yaml.safe_load(path.read_text()) | {
        "methods": {"random": None, "ot": {"nearest_sources": 1}},
        "budgets": [0.6],
        "selection": {"max_row_tokens": LIMIT},
    }
    path.write_text(yaml.safe_dump(study))


@pytest.fixture(scope="module")
def finished_root(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(root: Path) -> None:
        shutil.copytree(fresh, root)
        write_long_rows(root)
        for _ in enter(Project(root)):
            result = selection("run", NAME)
            assert result.exit_code == 0, result.output
            (root / "said.txt").write_text(result.stdout)

    return built_once(tmp_path_factory, "underspent", build)


@pytest.fixture
def project(finished_root: Path) -> Iterator[Project]:
    yield from enter(Project(finished_root))


def test_explore(project):
    for arm in (RANDOM, OT):
        subset = current(project, f"{NAME}/selected_subset", arm)
        print(arm, subset.json("spent.json"), subset.json("arm.json"))
        print(Counter(subset.table("fates.parquet")["fate"].to_pylist()))
    print((project.root / "said.txt").read_text())
    print(current(project, f"{NAME}/pareto_frontier").path("frontier.md").read_text())
    print(current(project, f"{NAME}/eval_report", OT).path("report.md").read_text())
    for s in SOURCES:
        print(
            s,
            sum(
                current(project, "shelf/tiny/pool_tokens", s)
                .table("tokens.parquet")["n_tokens"]
                .to_pylist()
            ),
        )
