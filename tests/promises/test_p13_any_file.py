"""P13: whatever lies in a file, reading it stays within its limits and keeps the good rows."""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import bombs
import pytest
from places import REPOSITORY

from selection.basics.text import MAX_MARKS, text_fault
from selection.corpus.limits import MIB, PARQUET_MEMORY, READING_MEMORY

INGEST = """
import json, resource, sys
from pathlib import Path
import pyarrow.parquet as pq
from selection.corpus.ingest import ingest
from selection.corpus.readers import read_path

def peak():  # of this process; what getrusage says is inherited from the one that started it
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

before = peak()
corpus = ingest(read_path(Path(sys.argv[1])), source="s", folder=Path(sys.argv[2]))
memory, rows = peak() - before, pq.read_table(corpus.rows)
print(json.dumps({
    "texts": sorted(rows["text"].to_pylist()),
    "listed": corpus.quarantine.num_rows,
    "most_origins": max(map(len, rows["origins"].to_pylist())),
    "read": corpus.n_read,
    "reasons": {reason.kind: reason.count for reason in corpus.faults.reasons},
    "missing": corpus.faults.n_missing,
    "memory": memory,
    "processes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
}))
"""

BOMBS: list[tuple[Callable[[Path], None], str, dict[str, int]]] = [
    (bombs.repeated_dictionary_entry, ".parquet", {"unpacks too far": 597}),
    (bombs.lying_page, ".parquet", {"unreadable Parquet": 1}),
    (bombs.lying_dictionary, ".parquet", {"unreadable Parquet": 1}),
    (bombs.bad_lines_in_gzip, ".jsonl.gz", {"not JSON": 50_000}),
    (bombs.unpacks_too_far, ".jsonl.zst", {"not JSON": 34, "unpacks too far": 1}),
    (bombs.lists_in_json, ".jsonl", {"wrong type": 1}),
    (bombs.repeated_rows, ".jsonl.gz", {}),
    (bombs.blank_lines_after_a_quote, ".csv", {"row too large": 1}),
    (bombs.millions_of_cells, ".csv.gz", {"row too large": 1}),
]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
@pytest.mark.parametrize(
    ("write", "suffix", "reasons"), BOMBS, ids=[write.__name__ for write, *_ in BOMBS]
)
def test_a_small_file_that_asks_for_much_takes_little_and_keeps_its_good_rows(
    tmp_path, figures, write, suffix, reasons
):
    path = tmp_path / f"bomb{suffix}"
    write(path)
    done = subprocess.run(
        [sys.executable, "-c", INGEST, path, tmp_path],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(bombs.GOOD) <= set(found["texts"])
    assert found["reasons"] == reasons
    assert found["memory"] < READING_MEMORY
    assert found["processes"] < PARQUET_MEMORY
    if path.stat().st_size < MIB:  # a small file has no excuse
        assert found["memory"] < 128 * MIB
    assert found["listed"] <= 10_000 and found["most_origins"] <= 1_000
    figures.record("P13", bombs=1, good_rows_of_bombs=len(bombs.GOOD))


def test_marks_beyond_those_of_stream_safe_text_are_a_bad_row(figures):
    marks = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.combining(unicodedata.normalize("NFD", character)[:1] or "a")
        and not "\ud800" <= character <= "\udfff"
    ]
    assert len(marks) > 800
    for mark in marks:
        assert text_fault("a" + mark * MAX_MARKS) is None
        assert text_fault("a" + mark * (MAX_MARKS + 1) + "b").startswith("too many marks")
    figures.record("P13", marks_tried=len(marks))
