"""The sensors over real folders, a real instance and the real ledger."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import REPOSITORY
from small_project import Project, enter
from spending import reserve
from tiny_project import SOURCES, drop, materialize, write_tiny_project

from resources.dead_runs import fail_dead_runs
from sensors.changes import Seen, changes_since, read_cursor, remember, run_key
from sensors.definitions import build_code_location

LIBRARY = "watch_library_sources"
RAW_CORPUS = dg.AssetKey(["library", "raw_corpus"])
EMBEDDER = dg.AssetKey(["library", "static", "embedder"])
TARGET = dg.AssetKey(["small", "target_examples"])

fingerprints = st.dictionaries(st.sampled_from("abcde"), st.sampled_from("12345"))


# --- the pure decisions ---


@given(before=fingerprints, now=fingerprints)
def test_every_name_is_new_or_changed_or_gone_or_left_alone(before, now):
    changes = changes_since(Seen(before), now)
    assert set(changes.new) == set(now) - set(before)
    assert set(changes.gone) == set(before) - set(now)
    assert all(before[name] != now[name] for name in changes.changed)
    untouched = set(now) - set(changes.to_read)
    assert all(before[name] == now[name] for name in untouched)


@given(before=fingerprints, now=fingerprints)
def test_what_was_asked_for_is_not_asked_for_again(before, now):
    seen = remember(Seen(before), now, asked=True)
    assert changes_since(seen, now).to_read == []
    assert read_cursor(seen.to_cursor()) == seen


@pytest.mark.parametrize("cursor", [None, "", "{}", "[]", "7", "null", "no json", '{"asked": 1}'])
def test_a_cursor_that_says_nothing_counts_as_a_first_tick(cursor):
    assert read_cursor(cursor) is None


def test_a_run_key_repeats_with_its_tick_and_never_after_it():
    first = Seen({"a": "1"})
    later = remember(first, {"a": "2"}, asked=True)
    assert run_key("a", "2", first) == run_key("a", "2", first)
    # The file was put back with its old date: its fingerprint is an old one.
    assert run_key("a", "2", first) != run_key("a", "2", remember(later, {"a": "1"}, asked=True))


# --- a pool's sources ---


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield from enter(write_tiny_project(tmp_path / "project"))


@pytest.fixture
def instance(project: Project) -> Iterator[dg.DagsterInstance]:
    with project.instance() as instance:
        yield instance


def tick(name: str, instance: dg.DagsterInstance, cursor: str | None = None):
    """Evaluate a sensor of the code location as its server does."""
    repository = build_code_location().get_repository_def()
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=repository,
        resources=repository.get_top_level_resources(),
        instance_ref=instance.get_ref(),
    ) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def launch(answer, key: dg.AssetKey, instance: dg.DagsterInstance) -> None:
    """Do what the daemon does with a tick's answer, in this process."""
    for request in answer.dynamic_partitions_requests or ():
        instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
    for request in answer.run_requests:
        assert list(request.asset_selection or [key]) == [key]
        assert materialize(build_code_location(), instance, key, request.partition_key).success


def partitions(answer) -> list[str]:
    return [request.partition_key for request in answer.run_requests or ()]


def read_all(project: Project, instance: dg.DagsterInstance) -> str:
    """Let the first tick's runs happen; returns the cursor after it."""
    answer = tick(LIBRARY, instance)
    assert partitions(answer) == sorted(SOURCES)
    launch(answer, RAW_CORPUS, instance)
    return answer.cursor


def test_the_first_tick_asks_for_what_was_never_read(project, instance):
    read_all(project, instance)
    assert set(project.ledger.current_versions("library/raw_corpus")) == set(SOURCES)
    # Without a cursor again, as after a reset in the UI: the ledger says what is up to date.
    assert partitions(tick(LIBRARY, instance)) == []
    drop(project, "email.jsonl", "Changed while nobody was watching the folder.")
    assert partitions(tick(LIBRARY, instance)) == ["email"]


def test_a_dropped_file_becomes_a_partition_with_one_run_and_a_row_in_the_ledger(project, instance):
    cursor = read_all(project, instance)
    drop(project, "poems.jsonl", "A line about the sea and the ships on it.")

    answer = tick(LIBRARY, instance, cursor)
    assert partitions(answer) == ["poems"]
    (added,) = answer.dynamic_partitions_requests
    assert (added.partitions_def_name, added.partition_keys) == ("library_source", ["poems"])
    (request,) = answer.run_requests
    assert request.run_key.startswith("poems:")

    launch(answer, RAW_CORPUS, instance)
    poems = project.ledger.current("library/raw_corpus", "poems")
    assert poems.table("rows.parquet")["text"].to_pylist() == [
        "A line about the sea and the ships on it."
    ]
    quiet = tick(LIBRARY, instance, answer.cursor)
    assert not quiet.run_requests
    assert quiet.skip_message == "3 sources unchanged"


def test_one_changed_file_is_exactly_one_request(project, instance):
    cursor = read_all(project, instance)
    before = project.ledger.current("library/raw_corpus", "email").version
    drop(project, "email.jsonl", "One row now, where there were many before.")
    answer = tick(LIBRARY, instance, cursor)
    assert partitions(answer) == ["email"]
    assert not answer.dynamic_partitions_requests
    launch(answer, RAW_CORPUS, instance)
    assert project.ledger.current("library/raw_corpus", "email").version != before


def test_a_file_put_back_with_its_old_date_is_read_again(project, instance):
    path = drop(project, "poems.jsonl", "The first version of the poem.")
    first = path.read_bytes(), path.stat().st_mtime_ns
    answer = tick(LIBRARY, instance)
    keys = [r.run_key for r in answer.run_requests if r.partition_key == "poems"]
    for content, changed in ((b'{"text": "The second version."}\n', first[1] + 10**9), first):
        path.write_bytes(content)
        os.utime(path, ns=(changed, changed))
        answer = tick(LIBRARY, instance, answer.cursor)
        keys += [request.run_key for request in answer.run_requests]
    assert len(keys) == len(set(keys)) == 3


def test_a_repeated_tick_asks_with_the_same_keys(project, instance):
    first, again = tick(LIBRARY, instance), tick(LIBRARY, instance)
    assert [r.run_key for r in first.run_requests] == [r.run_key for r in again.run_requests]


def test_a_file_still_being_written_under_a_hidden_name_waits_for_its_real_name(project, instance):
    cursor = read_all(project, instance)
    hidden = drop(project, ".poems.jsonl", "Half of a")
    answer = tick(LIBRARY, instance, cursor)
    assert partitions(answer) == []
    hidden.rename(hidden.with_name("poems.jsonl"))
    assert partitions(tick(LIBRARY, instance, answer.cursor)) == ["poems"]


def test_a_vanished_source_is_reported_and_keeps_its_partition_and_rows(project, instance):
    cursor = read_all(project, instance)
    path = project.root / "drop/email.jsonl"
    moved = path.rename(project.root / "email.jsonl")
    for _ in range(2):
        answer = tick(LIBRARY, instance, cursor)
        assert not answer.run_requests
        assert "no longer there" in answer.skip_message
        assert "email" in answer.skip_message
        cursor = answer.cursor
    assert "email" in instance.get_dynamic_partitions("library_source")
    assert project.ledger.current("library/raw_corpus", "email") is not None
    moved.rename(path)
    assert tick(LIBRARY, instance, cursor).skip_message == "2 sources unchanged"


def test_links_and_pipes_in_the_folder_neither_stop_a_tick_nor_are_opened(project, instance):
    cursor = read_all(project, instance)
    folder = project.root / "drop"
    outside = project.root / "outside"
    outside.mkdir()
    (outside / "secret.jsonl").write_text('{"text": "a secret from elsewhere"}\n')
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "file_link.jsonl").symlink_to(outside / "secret.jsonl")
    (folder / "dangling.jsonl").symlink_to(outside / "nothing.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "folder_link").symlink_to(outside)
    answer = tick(LIBRARY, instance, cursor)
    assert partitions(answer) == ["dangling", "file_link", "folder_link", "loop", "pipe"]
    # What lies behind a link that leaves the folder is not even looked at.
    (outside / "more.jsonl").write_text('{"text": "more"}\n')
    assert partitions(tick(LIBRARY, instance, answer.cursor)) == []


@pytest.mark.parametrize(
    ("name", "said"), [("email.csv", "two sources are named 'email'"), ("a b.jsonl", "rename it")]
)
def test_a_folder_that_makes_no_sense_is_a_reason_and_not_a_crash(project, instance, name, said):
    cursor = read_all(project, instance)
    path = drop(project, name, "a row of some words")
    answer = tick(LIBRARY, instance, cursor)
    assert said in answer.skip_message
    assert not answer.run_requests
    path.unlink()
    assert tick(LIBRARY, instance, cursor).skip_message == "2 sources unchanged"


def test_a_pool_whose_data_is_absent_says_which_path(project, instance):
    (project.root / "studies/pools/absent.yaml").write_text(
        "name: absent\nsources:\n  - {kind: files, path: nowhere/rows.parquet, name: rows}\n"
    )
    assert (
        "nowhere/rows.parquet: no such file" in tick("watch_absent_sources", instance).skip_message
    )


def test_a_named_file_that_changed_is_read_again(project, instance):
    (project.root / "studies/pools/named.yaml").write_text(
        "name: named\nsources:\n  - {kind: files, path: rows.jsonl, name: rows}\n"
    )
    path = project.root / "rows.jsonl"
    path.write_text('{"text": "one row"}\n')
    answer = tick("watch_named_sources", instance)
    assert partitions(answer) == ["rows"]
    path.write_text('{"text": "another row"}\n')
    assert partitions(tick("watch_named_sources", instance, answer.cursor)) == ["rows"]


# --- a study's target ---


def watch_a_file(project: Project) -> Path:
    """Give the small study a target in a file."""
    path = project.root / "studies/small.yaml"
    head, tail = path.read_text().split("target:\n")
    rest = tail[tail.index("embedder:") :]
    target = (
        "target:\n  kind: files\n  path: target.jsonl\n"
        "  columns: {label: null, split: split}\n  splits: {train: 1, dev: 1, test: 2}\n"
    )
    path.write_text(head + target + rest)
    return project.root / "target.jsonl"


def write_target(path: Path, note: str) -> None:
    splits = ("train", "dev", "test", "test")
    rows = [{"text": f"{note} number {i}", "split": split} for i, split in enumerate(splits)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_changed_target_is_read_once(project, instance):
    path = watch_a_file(project)
    write_target(path, "an example")
    first = tick("watch_small_target", instance)
    launch(first, TARGET, instance)
    before = project.ledger.current("small/target_examples", "all").version
    assert tick("watch_small_target", instance).skip_message == "unchanged: target.jsonl"

    write_target(path, "a different example")
    second = tick("watch_small_target", instance, first.cursor)
    assert len(second.run_requests) == 1
    launch(second, TARGET, instance)
    assert project.ledger.current("small/target_examples", "all").version != before
    assert not tick("watch_small_target", instance, second.cursor).run_requests


def test_a_target_that_is_a_package_is_watched_too(project, instance):
    first = tick("watch_small_target", instance)
    assert len(first.run_requests) == 1
    assert tick("watch_small_target", instance, first.cursor).skip_message == "unchanged: http"


def test_a_study_whose_target_is_absent_is_skipped_with_the_path(project, instance):
    path = watch_a_file(project)
    answer = tick("watch_small_target", instance)
    assert not answer.run_requests
    assert f"study small: {path} is not there" in answer.skip_message


# --- runs that die ---


def entries(project: Project) -> list[tuple[str, str]]:
    found = project.ledger.query("SELECT asset, state FROM spend ORDER BY started_at")
    return [(row["asset"], row["state"]) for row in found]


COSTLY_RUN = """
import dagster as dg
from sensors.definitions import defs

with dg.DagsterInstance.get() as instance:
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["library", "static", "embedder"])], instance=instance
    )
"""


def kill_a_costly_run(project: Project, instance: dg.DagsterInstance) -> str:
    """Start a real run in another process and SIGKILL it at its costly work; returns its id."""
    command = [sys.executable, "-c", COSTLY_RUN]
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ) as process:
        deadline = time.monotonic() + 120
        while not entries(project) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert entries(project) == [("library/static/embedder", "running")]
        assert fail_dead_runs(instance) == [], "a run at work is left alone"
        process.send_signal(signal.SIGKILL)
    (run,) = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.STARTED, "nobody was left to say that it died"
    return run.run_id


def test_a_run_killed_without_a_word_becomes_a_failure_and_a_loss(project, instance):
    run_id = kill_a_costly_run(project, instance)
    answer = tick("settle_dead_runs", instance)
    assert answer.skip_message == "runs found dead: 1; reservations settled as lost: 1"
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
    assert entries(project) == [("library/static/embedder", "lost")]
    (lost,) = project.ledger.query(
        "SELECT flops, reserved_flops, device_seconds, reserved_seconds FROM spend"
    )
    assert lost["flops"] == lost["reserved_flops"], "what it computed is unknown, but bounded"
    assert 0 < lost["device_seconds"] <= lost["reserved_seconds"]
    again = tick("settle_dead_runs", instance)
    assert again.skip_message == "runs found dead: 0; reservations settled as lost: 0"


def test_a_run_of_the_command_line_that_fails_is_a_loss_in_the_ledger(project, instance):
    start = tick("record_failed_runs", instance)
    run_id = kill_a_costly_run(project, instance)
    assert fail_dead_runs(instance) == [run_id]
    assert entries(project) == [("library/static/embedder", "running")]
    answer = tick("record_failed_runs", instance, start.cursor)
    assert [reaction.error for reaction in answer.dagster_run_reactions] == [None]
    assert entries(project) == [("library/static/embedder", "lost")]


def test_a_cancelled_run_is_settled_too(project, instance):
    run = instance.create_run_for_job(
        build_code_location().resolve_implicit_global_asset_job_def(),
        asset_selection=frozenset({EMBEDDER}),
    )
    reserve(project.ledger, "library/static/embedder", run_id=run.run_id)
    tick("settle_dead_runs", instance)
    assert entries(project) == [("library/static/embedder", "running")], "it may still start"
    instance.report_run_canceled(run)
    tick("settle_dead_runs", instance)
    assert entries(project) == [("library/static/embedder", "lost")]


def test_sensors_that_lead_to_spending_are_stopped_until_somebody_starts_them(project):
    sensors = build_code_location().get_repository_def().sensor_defs
    running = {s.name for s in sensors if s.default_status == dg.DefaultSensorStatus.RUNNING}
    assert {s.name for s in sensors} - running == {
        "watch_library_sources",
        "watch_small_target",
        "refresh_derived_assets",
    }
    assert running == {"record_failed_runs", "settle_dead_runs"}
