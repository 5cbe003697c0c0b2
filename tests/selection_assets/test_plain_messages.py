"""What a file or a setting causes reaches a person as one message, and nothing else with it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from command_line import selection
from small_project import Project, enter
from smallest_study import NAME

Change = Callable[[Project, Path], None]


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest study, of which nothing has run."""
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


def pool_with(*sources: dict) -> Change:
    def change(project: Project, _: Path) -> None:
        content = {"name": "shelf", "sources": list(sources)}
        (project.root / "studies/pools/shelf.yaml").write_text(yaml.safe_dump(content))

    return change


def split_of(content: bytes | None) -> Change:
    def change(project: Project, model: Path) -> None:
        path = project.root / "rows.parquet"
        pq.write_table(pa.table({"text": ["A row."]}), path)
        if content is not None:
            path.write_bytes(content)
        pool_with({"kind": "files", "path": "rows.parquet", "split_by": "topic"})(project, model)

    return change


def broken_settings(project: Project, _: Path) -> None:
    (project.root / "dagster_home/dagster.yaml").write_text("nonsense: true\n")


def a_model_of_a_long_name(project: Project, _: Path) -> None:
    file = project.root / f"studies/{NAME}.yaml"
    study = yaml.safe_load(file.read_text())
    study["base_model"] = {"kind": "pretrained", "name": "local", "model": "x" * 300}
    file.write_text(yaml.safe_dump(study))


def two_of_one_name(project: Project, model: Path) -> None:
    (project.root / "drop/email.jsonl").unlink()
    package = {"kind": "docstrings", "packages": ["asyncio"]}
    pool_with(package, {"kind": "drop_folder", "path": "drop"})(project, model)


def a_name_that_drives_the_terminal(project: Project, _: Path) -> None:
    pool_with({"kind": "drop_folder", "path": "hostile"})(project, _)
    (project.root / "hostile").mkdir()
    (project.root / "hostile/a\x1b[2J\u202eb.jsonl").write_text("")


def only_blank_lines(project: Project, _: Path) -> None:
    for file in (project.root / "drop").iterdir():
        file.write_text("\n\n")


def a_budget_too_small(project: Project, _: Path) -> None:
    study = project.root / f"studies/{NAME}.yaml"
    study.write_text(study.read_text().replace("budgets: [0.4]", "budgets: [0.0001]"))


FROM_OUTSIDE: dict[str, tuple[Change, str]] = {
    "a package that is not installed": (
        pool_with({"kind": "docstrings", "packages": ["no_such_package"]}),
        "'no_such_package' is not installed",
    ),
    "a package listed twice": (
        pool_with({"kind": "docstrings", "packages": ["email", "email"]}),
        "a package is given twice",
    ),
    "two sources of one name": (two_of_one_name, "two sources are named 'asyncio'"),
    "a broken Parquet with split_by": (split_of(b"PAR1 and no more"), "rows.parquet"),
    "a column to split by that is not there": (split_of(None), "no column 'topic'"),
    "a path that is too long": (
        pool_with({"kind": "files", "path": "x" * 300, "name": "long"}),
        "x cannot be looked at: File name too long; bring the data to that path, or change it in",
    ),
    "a model's path that is too long": (
        a_model_of_a_long_name,
        "cannot be looked at: File name too long",
    ),
    "settings of Dagster that it does not take": (broken_settings, "dagster.yaml"),
    "sources without a row": (
        only_blank_lines,
        "shelf/raw_corpus fails its check row_count: It has rows, and did not lose most of them"
        " since the version before.\n  rows: 0; least: 1\n  it has no rows: bring its text",
    ),
    "a budget that buys nothing": (a_budget_too_small, "\n  take larger `budgets`\n"),
    "a name that drives the terminal": (a_name_that_drives_the_terminal, "pool shelf"),
}


@pytest.mark.parametrize("cause", FROM_OUTSIDE)
def test_what_a_file_or_a_setting_causes_is_a_message_and_no_traceback(cause, project, figures):
    change, said = FROM_OUTSIDE[cause]
    change(project, project.root)
    result = selection("run", NAME)
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit), result.exception
    assert said in result.output
    assert "Traceback" not in result.output
    assert "dagster._core" not in result.output
    # A bar of tqdm moves the cursor up.
    assert not set("\x1b\u202e") & set(result.output.replace("\x1b[A", ""))
    figures.record("P14", causes_from_outside_told_plainly=1)


def test_a_process_of_its_own_ends_with_the_message_and_nothing_else(project):
    """With torch loaded, which the rehearsal does, DuckDB's binding would add a page."""
    path = project.root / "target.jsonl"
    rows = [json.loads(line) | {"label": "a"} for line in path.read_text().splitlines()]
    rows[3]["label"] = None
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = project.root / f"studies/{NAME}.yaml"
    study.write_text(study.read_text().replace("label: null", "label: label"))
    program = Path(sys.executable).with_name("selection")
    done = subprocess.run([program, "run", NAME], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: nothing is spent, for this is wrong:\n")
    assert done.stderr.rstrip().endswith("or set `target.columns.label` to null")


@pytest.mark.slow
def test_what_dagster_forks_its_steps_from_ends_quietly_too(project):
    from selection_assets.definitions import PRELOADED

    script = f"import {', '.join(PRELOADED)}\nfrom resources.workspace import Workspace\n"
    script += "Workspace().ledger.current_identities()\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
