"""The `selection` command line as a person and a program use it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from small_project import SOURCES, Project, enter
from spending import reserve

import resources.ledger.ledger
from resources.dead_runs import clear_dead_runs
from resources.ledger.database import Database
from resources.store.artifacts import Artifact
from selection.reports.tables import number
from selection_assets.command.cli import main
from selection_assets.command.closing import closing_text
from selection_assets.command.run import recomputed
from selection_assets.command.why import plain

ARM = "30pct|ot"
CHECKPOINT = "small/finetuned_checkpoint[ot x 30pct]"
HOSTILE = "<script>alert(1)</script> \x1b[2J\x1b]0;owned\x07 wipes \u202e the terminal"


@pytest.fixture
def copied(finished_root: Path, tmp_path: Path) -> Iterator[Project]:
    """The finished project, to be damaged."""
    root = shutil.copytree(finished_root, tmp_path / "project", symlinks=True)
    yield from enter(Project(root))


def selection(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def printed_json(*arguments: str) -> Any:
    result = selection(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def current(project: Project, asset: str, partition: str = "all") -> Artifact:
    found = project.ledger.current(asset, partition)
    assert found is not None
    return found


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


def test_a_step_that_fails_is_a_message_without_a_traceback(project: Project) -> None:
    bad = b'{"text": "Reads lines that are not text."}\n' + b"\xff\xfe\n" * 9
    (project.root / "drop/asyncio.jsonl").write_bytes(bad)
    result = selection("run", "small")
    assert result.exit_code == 1
    assert "raw_corpus [asyncio] failed" in result.stderr
    assert "quarantine_share" in result.stderr
    assert "Traceback" not in result.output and "Stack Trace" not in result.output


def test_dagsters_home_is_made_beside_the_project_for_its_owner_only(project: Project) -> None:
    del os.environ["DAGSTER_HOME"]
    (project.root / "drop/asyncio.jsonl").write_bytes(b"\xff\xfe\n")
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
        reserve(project.ledger, "small/x", run_id=run.run_id)
        reserve(project.ledger, "small/y", run_id="run-of-another-machine")
        clear_dead_runs(instance, project.ledger.budget)
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


def test_why_agrees_with_the_subset_for_every_selected_row_asked_about(finished: Project) -> None:
    subset = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()
    for row in (subset[0], subset[-1]):
        found = printed_json("why", row["row_id"])
        [verdict] = [v for v in found["verdicts"] if v["partition"] == ARM]
        for column in ("verdict", "score", "rank", "margin", "duplicate_of"):
            assert verdict[column] == row[column], column
        assert (verdict["study"], verdict["method"], verdict["budget"]) == ("small", "ot", "30pct")
        nearest = {"nearest_target", "nearest_cosine", "nearest_targets"}
        assert set(verdict["receipts"]) == {"potential", *nearest}
        assert found["text"] == plain(row["text"])[:200]


def test_why_gives_one_verdict_for_each_arm_and_draw(finished: Project) -> None:
    row = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()[0]
    found = printed_json("why", row["row_id"], "--study", "small")["verdicts"]
    judged = [(v["method"], v["budget"], v["draw"], v["source"]) for v in found]
    assert len(judged) == len(set(judged))
    arms = {artifact for artifact in finished.ledger.current_versions("small/selected_subset")}
    assert {f"{v['budget']}|{v['method']}" for v in found} == arms
    assert {v["draw"] for v in found if v["method"] == "random"} == {0, 1}
    text = selection("why", row["row_id"]).stdout
    assert "not distinguishable" not in text and "selected" in text


@pytest.mark.parametrize(
    ("row_id", "message"),
    [("f" * 32, "no row of any pool"), ("not-hex", "not a row id"), ("", "not a row id")],
)
def test_why_of_no_row_says_so(finished: Project, row_id: str, message: str) -> None:
    result = selection("why", row_id)
    assert result.exit_code == 1
    assert message in result.stderr


def test_why_of_an_ambiguous_beginning_asks_for_more(finished: Project) -> None:
    result = selection("why", "0")
    assert result.exit_code == 1
    assert "rows start with 0" in result.stderr


def test_hostile_text_is_harmless_and_a_bad_row_is_found_in_quarantine(project: Project) -> None:
    good = [json.dumps({"text": f"Return the value number {n} of the list."}) for n in range(40)]
    lines = [*good, json.dumps({"text": HOSTILE})]
    (project.root / "drop/hostile.jsonl").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    with project.instance() as instance:
        instance.add_dynamic_partitions("library_source", ["hostile"])
        result = project.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(["library", "raw_corpus"])],
            partition_key="hostile",
            instance=instance,
        )
        assert result.success
    corpus = current(project, "library/raw_corpus", "hostile")
    rows = corpus.table("rows.parquet").to_pylist()
    [row] = [row for row in rows if "script" in row["text"]]
    for output in (selection("why", row["row_id"]), selection("why", row["row_id"], "--json")):
        assert output.exit_code == 0, output.output
        assert "<script>alert(1)</script>" in output.stdout
        assert all(c == "\n" or c.isprintable() for c in output.stdout)
    [bad] = corpus.table("quarantine.parquet").to_pylist()
    refused = selection("why", bad["raw_sha256"][:24])
    assert refused.exit_code == 1
    assert "is in quarantine" in refused.stderr and "hostile" in refused.stderr


@pytest.mark.parametrize("name", [CHECKPOINT, f"small/finetuned_checkpoint[{ARM}]"])
def test_lineage_reaches_every_source_and_counts_the_rows_that_trained(
    finished: Project, name: str
) -> None:
    checkpoint = current(finished, "small/finetuned_checkpoint", ARM)
    found = printed_json("lineage", name)
    assert found["id"] == checkpoint.materialization
    assert {f"library/raw_corpus[{source}]" for source in SOURCES} <= set(found["sources"])
    rows = checkpoint.table("rows.parquet")["row_id"].to_pylist()
    assert found["rows_trained"] == len(set(rows))
    text = selection("lineage", name).stdout
    assert text.startswith(f"{CHECKPOINT} version {checkpoint.version[:8]}")
    assert f"{number(len(set(rows)))} rows trained it" in text


def test_lineage_takes_a_checkpoints_folder(finished: Project) -> None:
    checkpoint = current(finished, "small/finetuned_checkpoint", ARM)
    found = printed_json("lineage", str(checkpoint.folder / "seed_0"))
    assert found["name"] == CHECKPOINT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small/finetuned_checkpoint[ot x 99pct]", "there are: "),
        ("small/nothing[x]", "neither an asset"),
        ("/etc", "neither an asset"),
    ],
)
def test_lineage_of_nothing_says_what_there_is(finished: Project, name: str, message: str) -> None:
    result = selection("lineage", name)
    assert result.exit_code == 1
    assert message in result.stderr


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


def test_the_installed_command_answers_in_a_process_of_its_own_without_torch(
    finished: Project,
) -> None:
    row = current(finished, "small/selected_subset", ARM).table("subset.parquet").to_pylist()[0]
    program = Path(sys.executable).with_name("selection")
    done = subprocess.run(
        [program, "why", row["row_id"], "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["row_id"] == row["row_id"]
    heavy = (
        "import sys, selection_assets.command.cli; print({'dagster', 'torch'} & set(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", heavy], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "set()"
