"""The sensor of a pool over a folder with one of every kind of thing in it."""

import json
import os

import pytest
from odd_files import NOT_READ, READ, UNREADABLE, not_read, write_read
from ticks import LIBRARY, RAW_CORPUS, launch, partitions, read_all, tick
from tiny_project import SOURCES, drop, materialize

from selection.basics.file_names import printable_name
from sensors.definitions import build_code_location

pytestmark = pytest.mark.study


def settle(project, seconds: float) -> None:
    pool = project.root / "studies/pools/library.yaml"
    pool.write_text(pool.read_text().replace("settle_seconds: 0", f"settle_seconds: {seconds}"))


def test_a_tick_takes_what_can_be_read_and_names_the_rest_once_as_a_warning(
    project, instance, capfd, figures
):
    cursor = read_all(project, instance)
    write_read(project.root / "drop")
    with not_read(project.root / "drop"):
        answer = tick(LIBRARY, instance, cursor)
        assert sorted(partitions(answer)) == sorted(READ.values())
        warned = [line for line in capfd.readouterr().err.splitlines() if "not read: " in line]
        assert len(warned) == len(NOT_READ) + 1  # hidden files and markers are one line
        launch(answer, RAW_CORPUS, instance)
        current = project.ledger.current_versions("library/raw_corpus")
        assert sorted(current) == sorted([*SOURCES, *READ.values()])

        quiet = tick(LIBRARY, instance, answer.cursor)
        assert quiet.skip_message.startswith(f"{len(current)} sources unchanged\nnot read: ")
        for name, said in NOT_READ.items():
            assert printable_name(name) in quiet.skip_message
            assert said in quiet.skip_message
        assert "not read: " not in capfd.readouterr().err
    figures.record("P13", ticks_over_every_kind_of_file=2)


def test_two_files_of_one_name_wait_for_a_person_and_keep_the_rows_that_were_read(
    project, instance
):
    cursor = read_all(project, instance)
    twin = drop(project, "email.csv", "a row of some words")
    answer = tick(LIBRARY, instance, cursor)
    assert "1 sources unchanged" in answer.skip_message
    assert "no longer there" not in answer.skip_message
    assert answer.skip_message.count("two sources are named 'email'") == 2
    assert "its rows stay as they were last read" in answer.skip_message
    assert sorted(instance.get_dynamic_partitions("library_source")) == sorted(SOURCES)
    twin.unlink()
    assert tick(LIBRARY, instance, answer.cursor).skip_message == "2 sources unchanged"


def test_a_file_that_was_just_written_is_looked_at_again_at_the_next_tick(project, instance):
    cursor = read_all(project, instance)
    settle(project, 3600)
    path = drop(project, "poems.jsonl", "A line about the sea.")
    drop(project, "email.jsonl", "Written anew, perhaps half of it.")
    answer = tick(LIBRARY, instance, cursor)
    assert not answer.run_requests
    assert "poems.jsonl: still being written: it changed in the last 3600 s" in answer.skip_message
    assert "no longer there" not in answer.skip_message
    # Asked for by hand all the same, it is not read.
    instance.add_dynamic_partitions("library_source", ["poems"])
    by_hand = materialize(build_code_location(), instance, RAW_CORPUS, "poems")
    assert not by_hand.success
    assert project.ledger.current("library/raw_corpus", "poems") is None
    settle_again = project.root / "studies/pools/library.yaml"
    settle_again.write_text(settle_again.read_text().replace("3600", "0"))
    os.utime(path)
    assert partitions(tick(LIBRARY, instance, answer.cursor)) == ["email", "poems"]


def test_a_wholly_bad_file_leaves_its_quarantine_and_no_partition_that_others_wait_for(
    project, instance
):
    cursor = read_all(project, instance)
    bad = project.root / "drop/bad.jsonl"
    bad.write_text(UNREADABLE)
    answer = tick(LIBRARY, instance, cursor)
    assert partitions(answer) == ["bad"]
    instance.add_dynamic_partitions("library_source", ["bad"])
    assert not materialize(build_code_location(), instance, RAW_CORPUS, "bad").success
    assert project.ledger.current("library/raw_corpus", "bad") is None

    after = tick(LIBRARY, instance, answer.cursor)
    assert "bad.jsonl: it was read: 0 usable rows, 3 bad ones: not JSON (3)" in after.skip_message
    assert "quarantine.parquet" in after.skip_message
    [removed] = after.dynamic_partitions_requests
    assert removed.partition_keys == ["bad"]
    instance.delete_dynamic_partition("library_source", "bad")
    quiet = tick(LIBRARY, instance, after.cursor)
    assert not quiet.run_requests and not quiet.dynamic_partitions_requests
    # A first tick knows from the ledger that it has been read.
    assert partitions(tick(LIBRARY, instance)) == []

    drop(project, "bad.jsonl", "Now it is a row.")
    mended = tick(LIBRARY, instance, quiet.cursor)
    assert partitions(mended) == ["bad"]
    launch(mended, RAW_CORPUS, instance)
    assert tick(LIBRARY, instance, mended.cursor).skip_message == "3 sources unchanged"


def test_a_cursor_of_an_earlier_version_is_understood(project, instance):
    before = json.dumps({"asked": 1, "fingerprints": {}})
    assert sorted(partitions(tick(LIBRARY, instance, before))) == sorted(SOURCES)
