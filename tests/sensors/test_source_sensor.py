"""The sensor of a pool over real folders, a real instance and the real ledger."""

import os

from ticks import LIBRARY, RAW_CORPUS, launch, partitions, read_all, tick
from tiny_project import SOURCES, drop


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
    cursor = read_all(project, instance)
    path = drop(project, "poems.jsonl", "The first version of the poem.")
    first = path.read_bytes(), path.stat().st_mtime_ns
    answer = tick(LIBRARY, instance, cursor)
    keys = [request.run_key for request in answer.run_requests]
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
