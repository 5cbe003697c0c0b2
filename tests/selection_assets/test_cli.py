"""The `selection` command line as a person and a program use it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from command_line import ARM, CHECKPOINT, current, printed_json, selection
from small_project import SOURCES, Project, enter
from spending import GONE, reserve

import resources.ledger.ledger
from resources.dead_runs import clear_dead_runs
from resources.ledger.database import Database
from selection.reports.numbers import number
from selection_assets.command.cli import main
from selection_assets.command.closing import closing_text
from selection_assets.command.run import recomputed


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """The finished project, to be damaged."""
    root = shutil.copytree(finished_root, tmp_path / "project", symlinks=True)
    yield from enter(Project(root))


def test_the_closing_table_holds_the_frontiers_own_figures(finished: Project) -> None:
    text = closing_text(finished.study, finished.ledger, recomputed([]))
    result = current(finished, "small/pareto_frontier").json("frontier.json")
    lines = text.splitlines()
    for arm in result["arms"]:
        wanted = [arm["method"], arm["budget"], arm["verdict"]]
        wanted += [number(arm[name]) for name in ("selection_flops", "training_flops", "rows")]
        wanted += [number(arm[name]) for name in ("loss", "loss_low", "loss_high")]
        assert any(all(word in line for word in wanted) for line in lines), wanted
    for name, line in result["reference"].items():
        assert any(name in text and number(line["loss"]) in text for text in lines), name
    for arm in result["infeasible"]:
        assert f"not run: {arm['method']} at {arm['budget']}: {arm['reason']}" in text
    assert "nothing had changed: nothing recomputed" in text
    assert "make ui" in text
    pictures = [Path(line.strip()) for line in lines if line.strip().endswith(".png")]
    assert "frontier.png" in {path.name for path in pictures}
    assert all(path.is_file() for path in pictures)


def test_a_finished_study_run_again_recomputes_nothing_and_says_so(finished: Project) -> None:
    before = finished.ledger.current_identities()
    result = selection("run", "small")
    assert result.exit_code == 0, result.output
    assert "nothing had changed: nothing recomputed" in result.stdout
    assert finished.ledger.current_identities() == before


def test_a_dry_run_of_a_fresh_project_lists_its_first_level_and_runs_nothing(
    project: Project,
) -> None:
    result = selection("run", "small", "--dry-run")
    assert result.exit_code == 0, result.output
    for source in SOURCES:
        assert f"raw_corpus [{source}]" in result.stdout
    assert project.ledger.current_identities() == {}
    with project.instance() as instance:
        assert instance.get_runs() == []


def test_an_unknown_study_is_answered_with_the_known_ones(project: Project) -> None:
    result = selection("run", "smal")
    assert result.exit_code == 2
    assert "known studies: small" in result.stderr


@pytest.mark.parametrize("flag", [[], ["--dry-run"]])
def test_absent_data_are_named_before_anything_starts(project: Project, flag: list[str]) -> None:
    shutil.rmtree(project.root / "drop")
    result = selection("run", "small", *flag)
    assert result.exit_code == 2
    assert str(project.root / "drop") in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_study_file_is_a_message_with_its_name(project: Project) -> None:
    study = project.root / "studies/small.yaml"
    study.write_text(study.read_text().replace("seeds: [0, 1]", "seeds: [0]", 1))
    result = selection("run", "small")
    assert result.exit_code == 2
    assert "small.yaml: field seeds" in result.stderr


@pytest.mark.study
def test_a_step_that_fails_is_a_message_without_a_traceback(project: Project) -> None:
    bad = b'{"text": "Reads lines that are not text."}\n' + b"\xff\xfe\n" * 9
    for source in SOURCES:
        (project.root / f"drop/{source}.jsonl").write_bytes(bad)
    result = selection("run", "small")
    assert result.exit_code == 1
    assert "raw_corpus [asyncio] failed" in result.stderr
    assert "quarantine_share" in result.stderr
    assert "Traceback" not in result.output and "Stack Trace" not in result.output


@pytest.mark.study
def test_dagsters_home_is_made_beside_the_project_for_its_owner_only(project: Project) -> None:
    del os.environ["DAGSTER_HOME"]
    for source in SOURCES:
        (project.root / f"drop/{source}.jsonl").write_bytes(b"\xff\xfe\n")
    assert selection("run", "small").exit_code == 1
    home = project.root / "dagster_home"
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_an_entry_left_open_by_a_failed_run_is_settled_as_lost(project: Project) -> None:
    @dg.op
    def fails() -> None:
        raise RuntimeError("for the test")

    @dg.job
    def failing() -> None:
        fails()

    with project.instance() as instance:
        run = failing.execute_in_process(instance=instance, raise_on_error=False)
        reserve(project.ledger, "small/x", run_id=run.run_id, holder=GONE)
        reserve(project.ledger, "small/y", run_id="run-of-another-machine")
        clear_dead_runs(instance, project.ledger.spending)
    states = {row["asset"]: row["state"] for row in printed_json("ledger")}
    assert states == {"small/x": "lost", "small/y": "running"}


def test_the_ledger_prints_what_the_artifacts_say_their_training_cost(finished: Project) -> None:
    rows = printed_json("ledger", "--study", "small")
    fields = {"asset", "partition", "flops", "device_seconds", "wall_seconds", "usd"}
    assert all(fields <= set(row) for row in rows)
    assert all(row["campaign"] == "small" for row in rows)
    [row] = [r for r in rows if (r["asset"], r["partition"]) == (CHECKPOINT.split("[")[0], ARM)]
    training = current(finished, "small/finetuned_checkpoint", ARM).json("training.json")
    spent = sum(s["warm_up_flops"] + s["fine_tuning_flops"] for s in training["seeds"])
    assert row["flops"] == pytest.approx(spent)
    assert row["usd"] is None


def test_the_ledger_of_an_unknown_study_names_those_that_paid(finished: Project) -> None:
    result = selection("ledger", "--study", "nobody")
    assert result.exit_code == 1
    assert "library, small" in result.stderr


def test_verify_passes_a_whole_store_and_names_the_file_of_a_broken_one(copied: Project) -> None:
    assert all(result["problem"] is None for result in printed_json("verify"))
    report = current(copied, "small/eval_report", ARM).folder / "report.json"
    content = bytearray(report.read_bytes())
    content[10] ^= 1
    report.write_bytes(content)
    result = selection("verify")
    assert result.exit_code == 1
    assert str(report) in result.stderr
    assert "1 corrupt" in result.stdout


def test_a_ledger_held_by_another_program_is_a_message_that_names_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # seconds, in place of the minute that a person's shell is waited for
    monkeypatch.setattr(resources.ledger.ledger, "Database", partial(Database, patience=0.5))
    assert selection("ledger").exit_code == 0
    file = project.root / "store/ledger.duckdb"
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = selection("ledger")
        holder.communicate("\n")
    assert result.exit_code == 1
    assert f"{file} is open in another program" in result.stderr


def test_the_installed_command_answers_in_a_process_of_its_own(finished: Project) -> None:
    row = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()[0]
    program = Path(sys.executable).with_name("selection")
    done = subprocess.run(
        [program, "why", row["row_id"], "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["row_id"] == row["row_id"]


@pytest.mark.parametrize("command", [[], *([name] for name in main.commands)], ids=" ".join)
def test_help_loads_nothing_that_is_installed_but_click(command: list[str]) -> None:
    loaded = {name.partition(".")[0] for name in loaded_by(*command, "--help")}
    ours = {"selection", "selection_assets", "resources"}
    assert loaded - sys.stdlib_module_names - ours == {"click"}


def test_what_only_reads_loads_no_study_no_arrays_and_no_pydantic(finished: Project) -> None:
    row = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()[0]
    heavy = {"selection.config.study", "dagster", "numpy", "pyarrow", "pydantic", "scipy", "torch"}
    for command in (["ledger"], ["verify"], ["lineage", CHECKPOINT], ["why", row["row_id"]]):
        loaded = loaded_by(*command)
        assert "duckdb" in loaded
        assert loaded & heavy == set(), command


def loaded_by(*arguments: str) -> set[str]:
    """Modules that a command has loaded in a process of its own."""
    code = (
        "import sys; before = set(sys.modules); from selection_assets.command.cli import main;"
        " main(standalone_mode=False); print(*(sys.modules.keys() - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())
