"""The file of a source is the same however few of its rows are held at a time."""

import random
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import ingested
from places import REPOSITORY

from selection.corpus import merged_rows
from selection.corpus.ingest import ingest
from selection.corpus.limits import MAX_ORIGINS, MIB
from selection.corpus.originals import Original
from selection.corpus.records import Record

NO_MEMORY = 1
"""Bytes: each row is a run by itself."""


def records(texts: list[str]) -> list[Record]:
    """Return a record of each text, with columns that tell it from its copies."""
    return [
        Record(text, f"f:{i}", label=str(i), original=Original(f'{{"line": {i}}}'))
        for i, text in enumerate(texts)
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([f"row {i}" for i in range(6)]), max_size=12))
def test_copies_in_other_runs_collapse_as_those_in_one_do(texts):
    held, spilled = ingested(records(texts)), ingested(records(texts), memory=NO_MEMORY)
    assert spilled.file == held.file
    assert spilled.as_they_came == held.as_they_came
    assert (spilled.n_rows, spilled.n_words) == (held.n_rows, held.n_words)
    assert spilled.n_duplicates == held.n_duplicates == len(texts) - len(set(texts))
    for row in spilled.table.to_pylist():
        places = [i for i, text in enumerate(texts) if text == row["text"]]
        assert row["origins"] == [f"f:{i}" for i in places]
        assert row["label"] == str(places[0])
        assert spilled.as_they_came[row["row_id"]].line == f'{{"line": {places[0]}}}'


@pytest.mark.parametrize("memory", [2**16, 2**18, 2**20])
def test_many_rows_are_the_same_bytes_from_any_number_of_runs(memory, monkeypatch):
    monkeypatch.setattr(merged_rows, "GROUP_ROWS", 100)
    monkeypatch.setattr(merged_rows, "GROUP_BYTES", 20_000)
    draw = random.Random(0)
    texts = [f"{draw.randrange(700)} " + "x" * draw.randrange(2_000) for _ in range(1_000)]
    texts[500] = "y" * 50_000  # larger than a group
    assert ingested(records(texts), memory=memory).file == ingested(records(texts)).file


def test_groups_are_bounded_in_rows_and_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(merged_rows, "GROUP_ROWS", 100)
    monkeypatch.setattr(merged_rows, "GROUP_BYTES", 5_000)
    texts = [f"{i} " + "x" * (10 if i % 2 else 90) for i in range(1_000)]
    corpus = ingest(records(texts), source="s", folder=tmp_path)
    file = pq.ParquetFile(corpus.rows)
    groups = [file.read_row_group(i, ["text"])["text"] for i in range(file.num_row_groups)]
    sizes = [sum(len(text) for text in group.to_pylist()) for group in groups]
    assert max(map(len, groups)) <= 100 and max(sizes) <= 5_000
    assert min(sizes[:-1]) > 4_000


def test_a_row_remembers_so_many_places_also_from_many_runs():
    corpus = ingested(records(["the same"] * (MAX_ORIGINS + 500)), memory=40_000)
    [origins] = corpus.table["origins"].to_pylist()
    assert origins == [f"f:{i}" for i in range(MAX_ORIGINS)]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 120), st.sampled_from([2, 3, 16]))
def test_runs_of_runs_give_what_one_gives(n, at_once):
    """With no memory each row is a run."""
    texts = [f"row {i * i % 97}" for i in range(n)]
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("selection.corpus.sorted_rows._MERGED_AT_ONCE", at_once)
        spilled = ingested(records(texts), memory=NO_MEMORY)
    assert spilled.file == ingested(records(texts)).file


def test_what_a_killed_attempt_has_left_is_written_over(tmp_path):
    texts = [f"row {i}" for i in range(400)]

    def stopped():
        yield from records(texts)[:300]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(stopped(), source="s", folder=tmp_path, memory=20_000)
    left = {path.name for path in tmp_path.iterdir()}
    assert "run_0.arrow" in left
    again = ingest(records(texts), source="s", folder=tmp_path, memory=20_000)
    assert again.rows.read_bytes() == ingested(records(texts)).file
    assert {path.name for path in tmp_path.iterdir()} == {"rows.parquet", "originals.parquet"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_memory_does_not_grow_with_the_rows():
    """Three times the rows take as much, and less than their texts."""
    few, many = (_peak(n) for n in (100_000, 300_000))
    assert many < few + 64 * MIB < 300_000 * 660


def _peak(n: int) -> int:
    """Bytes that a process takes for so many rows, beside what it takes for its libraries."""
    command = [sys.executable, "-c", GROW, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    return int(done.stdout)


GROW = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from selection.corpus.ingest import ingest
from selection.corpus.records import Record
def take(n):
    rows = (Record(f"{i} " + "some words " * 60, f"f:{i}") for i in range(n))
    with TemporaryDirectory() as folder:
        assert ingest(rows, source="s", folder=Path(folder), memory=2**26).n_rows == n
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
take(2)  # which loads the libraries
before = peak()
take(int(sys.argv[1]))
print(peak() - before)
"""
