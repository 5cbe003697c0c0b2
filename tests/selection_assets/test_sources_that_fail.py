"""A source that cannot be used is named by the command, and the rest of its pool is taken."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from command_line import selection
from odd_files import NOT_READ, READ, UNREADABLE, not_read, write_read
from small_project import Project, enter
from smallest_study import NAME, SOURCES
from toy_stages import Toy

from resources.project import ROOT_VARIABLE
from resources.store.artifacts import UNPARTITIONED
from selection.basics.file_names import printable_name
from selection_assets.refresh.refresh import SourcesFailed, refresh
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step
from selection_assets.studies import load_study

CORPUS = "shelf/raw_corpus"


@pytest.fixture
def smallest(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest project, in which nothing has run."""
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


@pytest.fixture
def finished_project(finished_smallest: Path, tmp_path: Path) -> Iterator[Project]:
    """The same after one run."""
    yield from enter(Project(Path(shutil.copytree(finished_smallest, tmp_path / "project"))))


def test_a_dry_run_names_what_is_not_read_and_lists_the_rest(smallest):
    write_read(smallest.root / "drop")
    with not_read(smallest.root / "drop"):
        result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 0, result.output
    for name in (*SOURCES, *READ.values()):
        assert f"raw_corpus [{name}]" in result.stdout
    assert f"pool shelf: not read: {len(NOT_READ) + 1}\n" in result.stdout
    for name, said in NOT_READ.items():
        assert printable_name(name) in result.stdout
        assert said in result.stdout
    assert all(character == "\n" or character.isprintable() for character in result.stdout)


def test_a_run_takes_the_rest_and_ends_with_what_it_left_out(finished_project, figures):
    (finished_project.root / "drop/bad.jsonl").write_text(UNREADABLE)
    (finished_project.root / "drop/notes.docx").write_text("not read")
    result = selection("run", NAME)
    assert result.exit_code == 1
    assert "pool shelf: not read: 1\n  notes.docx (ignored): " in result.stdout
    closing = result.stdout.rpartition("verdicts at 95%")[2]
    assert "pool shelf: not read: 2\n  bad.jsonl: it was read: 0 usable rows, 3 bad" in closing
    assert "raw_corpus [bad] failed:" in result.stderr
    assert re.search(
        r"bad rows, listed in \S+/quarantine\.parquet:\n  3 x .*, first at bad\.jsonl:1",
        result.stderr,
    )
    assert "Traceback" not in result.output
    assert finished_project.ledger.current(f"{NAME}/pareto_frontier", UNPARTITIONED) is not None
    with finished_project.instance() as instance:
        assert sorted(instance.get_dynamic_partitions("shelf_source")) == sorted(SOURCES)

    again = selection("run", NAME)
    assert again.exit_code == 1
    assert "nothing had changed: nothing recomputed" in again.stdout
    assert "bad.jsonl: it was read: 0 usable rows, 3 bad ones" in again.stderr
    rehearsed = selection("run", NAME, "--dry-run")
    assert rehearsed.exit_code == 2
    assert "bad.jsonl: it was read: 0 usable rows, 3 bad ones" in rehearsed.stdout
    assert f"the first 32 rows of each of {len(SOURCES)}: text" in rehearsed.stdout
    assert "it would do without 1 of its sources" in rehearsed.stderr
    (finished_project.root / "drop/bad.jsonl").unlink()
    last = selection("run", NAME)
    assert last.exit_code == 0, last.output
    figures.record("P13", studies_run_without_a_bad_source=1)


def up_to(project: Project, asset: str) -> list:
    with project.instance() as instance:
        study = load_study(NAME)
        return refresh(study, project.definitions, project.ledger, instance, up_to=asset)


def test_a_source_that_turned_bad_keeps_the_rows_that_it_had(finished_project):
    up_to(finished_project, "budget_plan")
    before = finished_project.ledger.current(CORPUS, "email")
    file = finished_project.root / "drop/email.jsonl"
    good = file.read_text()
    file.write_text(good + "no JSON\n" * 100)
    with pytest.raises(SourcesFailed, match=r"raw_corpus \[email\] failed") as stopped:
        up_to(finished_project, "budget_plan")
    assert stopped.value.done == []
    assert finished_project.ledger.current(CORPUS, "email") == before
    with finished_project.instance() as instance:
        assert sorted(instance.get_dynamic_partitions("shelf_source")) == sorted(SOURCES)
    file.write_text(good)
    assert all(CORPUS in work.assets for work in up_to(finished_project, "budget_plan"))


def test_a_run_waits_for_what_was_just_copied_and_not_for_what_never_settles(smallest):
    pool = smallest.root / "studies/pools/shelf.yaml"
    pool.write_text(pool.read_text().replace("settle_seconds: 0", "settle_seconds: 0.5"))
    for source in SOURCES:
        (smallest.root / f"drop/{source}.jsonl").write_text(UNREADABLE)
    result = selection("run", NAME)
    assert "waiting up to 0.5 s until they are still: asyncio.jsonl, email.jsonl" in result.stderr
    assert "raw_corpus [asyncio] failed" in result.stderr
    pool.write_text(pool.read_text().replace("settle_seconds: 0.5", "settle_seconds: 80000"))
    result = selection("run", NAME)
    assert result.exit_code == 1
    assert "waiting" not in result.stderr
    assert "pool shelf has no source that can be read" in result.stderr
    assert "email.jsonl: still being written" in result.stderr


def test_a_study_that_is_up_to_date_waits_for_what_was_just_copied(finished_project):
    pool = finished_project.root / "studies/pools/shelf.yaml"
    pool.write_text(pool.read_text().replace("settle_seconds: 0", "settle_seconds: 0.5"))
    file = finished_project.root / "drop/email.jsonl"
    file.write_text(file.read_text() + "no JSON\n" * 100)
    result = selection("run", NAME)
    assert "waiting up to 0.5 s until they are still: asyncio.jsonl, email.jsonl" in result.stderr
    assert "raw_corpus [email] failed" in result.stderr


def test_what_changes_while_it_is_read_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    toy = Toy(tmp_path)

    def growing() -> Stage:
        @stage(
            key=dg.AssetKey(["toy", "growing"]),
            campaign="toy",
            outside=lambda _: {"numbers.json": toy.file.read_text()},
        )
        def growing(step: Step) -> Draft:
            if step.found is None and len(toy.file.read_text()) < 20:
                toy.write([1, 2, 3, 4, 5, 6, 7])
            return Draft({"growing.json": [1]}, rows=1)

        return growing

    result = toy.run(growing())
    assert not result.success
    [event] = result.get_step_failure_events()
    data = event.step_failure_data.user_failure_data
    assert data is not None and data.description is not None
    assert "numbers.json changed while it was read: nothing is published" in data.description
    assert toy.current("growing") is None
    assert toy.run(growing()).success


def test_a_dry_run_waits_for_a_file_that_was_just_copied_once_its_ledger_is_there(smallest):
    pool = smallest.root / "studies/pools/shelf.yaml"
    text = pool.read_text()
    assert "settle_seconds: 0" in text
    pool.write_text(text.replace("settle_seconds: 0", "settle_seconds: 1"))
    (smallest.root / "drop/fresh.jsonl").write_text('{"text": "a row"}\n')
    result = selection("run", NAME, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "waiting up to 1 s until they are still: " in result.stderr
    assert "raw_corpus [fresh]" in result.stdout
    (smallest.root / "drop/fresh.jsonl").touch()
    (smallest.root / "store/ledger.duckdb").write_bytes(b"no ledger" * 100)
    lost = selection("run", NAME, "--dry-run")
    assert lost.exit_code == 1
    assert "is damaged (no DuckDB database)" in lost.stderr and "waiting" not in lost.stderr
