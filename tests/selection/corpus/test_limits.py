"""What reading keeps is bounded: rows in memory, bad rows listed, origins, reasons, files."""

import lzma
import sys
import time
import tracemalloc
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from bad_files import row, split
from ingesting import ingested

from selection.basics.text import row_id
from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus import parquet_rows
from selection.corpus.csv_rows import read_csv
from selection.corpus.docstrings import read_docstrings
from selection.corpus.limits import (
    MAX_DOCSTRING_CHARS,
    MAX_LISTED,
    MAX_ORIGINS,
    MAX_PYTHON_BYTES,
    MAX_REASON_CHARS,
)
from selection.corpus.lines import rows_begun, split_lines
from selection.corpus.prose import description
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_rules import RowRules
from selection.corpus.streams import StreamDamaged


def test_the_places_of_one_row_count_too():
    rows = (Record("the same", f"a.jsonl:{i}") for i in range(10**5))
    corpus = ingested(rows, source="s", memory=2**20)
    assert corpus.n_duplicates == 10**5 - 1
    [origins] = corpus.table["origins"].to_pylist()
    assert origins == [f"a.jsonl:{i}" for i in range(MAX_ORIGINS)]


def test_of_each_kind_of_fault_so_many_are_listed_and_all_are_counted():
    bad = [BadRecord(f"f:{i}", "not JSON: x", "0" * 64) for i in range(2 * MAX_LISTED)]
    corpus = ingested([*bad, BadRecord("g:1", "empty text", "0" * 64)], source="s")
    assert corpus.quarantine.num_rows == MAX_LISTED + 1
    assert {r.kind: r.count for r in corpus.faults.reasons} == {
        "not JSON": 2 * MAX_LISTED,
        "empty text": 1,
    }
    assert corpus.n_read == corpus.faults.n_rows == 2 * MAX_LISTED + 1


def test_a_part_of_unknown_size_counts_as_a_row_and_one_of_a_known_size_as_its_rows():
    parts = [UnreadPart("a:1", "cut", "", None), UnreadPart("b#5", "cut", "", 95)]
    faults = ingested([Record("good", "a:0"), *parts], source="s").faults
    assert (faults.n_rows, faults.n_missing, faults.n_unread) == (96, 95, 2)
    assert faults.share(4) == 0.96


def test_a_reason_does_not_grow_with_what_it_quotes(tmp_path):
    path = tmp_path / "a.csv"
    cell = "x" * 10**6
    path.write_text(f"{cell},{cell}\n" + "a,b\n" * 50)
    _, bad = split(read_path(path))
    assert len(bad) == 51
    assert max(len(record.reason) for record in bad) <= MAX_REASON_CHARS + 40


def test_a_python_file_or_docstring_that_is_too_long_is_named(tmp_path, monkeypatch):
    package = tmp_path / "long_package"
    package.mkdir()
    (package / "__init__.py").write_text('"""A package with two files that are far too long."""\n')
    (package / "a.py").write_text("#" * (MAX_PYTHON_BYTES + 1))
    (package / "b.py").write_text(f'"""{"word " * MAX_DOCSTRING_CHARS}"""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    good, bad = split(read_docstrings("long_package", min_words=2))
    assert [record.origin for record in good] == ["long_package:<module>"]
    assert [(record.origin, record.kind) for record in bad] == [
        ("long_package.a:0", "too large for Python"),
        ("long_package.b:<module>", "row too large"),
    ]
    assert isinstance(bad[0], UnreadPart)
    sys.modules.pop("long_package", None)


@pytest.mark.parametrize("label", [1.5, "a"])
def test_bad_rows_of_parquet_are_hashed_no_further_than_the_file_may_unpack(
    tmp_path, monkeypatch, label
):
    hashed: list[int] = []

    def count(raw: dict[str, object]) -> str:
        hashed.append(sum(len(cell) for cell in raw.values() if isinstance(cell, bytes)))
        return ""

    monkeypatch.setattr(parquet_rows, "row_digest", count)
    cell, path = "x" * 2**20, tmp_path / "a.parquet"
    table = {"text": pa.DictionaryArray.from_arrays([0] * 300, [cell]), "label": [label] * 300}
    pq.write_table(pa.table(table), path, compression="zstd", dictionary_pagesize_limit=2**24)
    rules = RowRules(ColumnNames(label="label"), {}, 2**24)
    with path.open("rb") as file:
        assert len(list(parquet_rows.read_parquet(file, "a", rules))) == 300
    assert sum(hashed) < 33 * 2**20


def long_window(raw: bytes) -> bytes:
    asked = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=asked).compressobj()
    return packer.compress(raw) + packer.flush()


def large_dictionary(raw: bytes) -> bytes:
    return lzma.compress(raw, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**28}])


@pytest.mark.parametrize(("packing", "pack"), [("zst", long_window), ("xz", large_dictionary)])
def test_a_whole_file_that_needs_more_memory_to_unpack_is_not_called_corrupt(
    tmp_path, packing, pack
):
    path = tmp_path / f"a.jsonl.{packing}"
    path.write_bytes(pack(row("one") * 200))
    [bad] = split(read_path(path))[1]
    assert isinstance(bad, UnreadPart) and bad.kind == "too large a window"
    assert "more than 128 MiB of memory; unpack the file yourself" in bad.reason


def test_rows_under_a_header_that_cannot_be_used_are_not_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,text\n" + f"{'x' * 20_000},b\n" * 1000)
    tracemalloc.start()
    assert sum(1 for _ in read_path(path)) == 1001
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 2**20


def csv_header(count: int) -> Callable[[], object]:
    """A CSV file of so many columns, already split into lines."""
    raw = ",".join(f"c{i}" for i in range(count)).encode() + b"\n"
    rules = RowRules(DEFAULT_COLUMNS, {}, 2**24)
    return lambda: list(read_csv(split_lines(iter([raw]), max_bytes=2**24), "a.csv", rules))


def csv_quotes(count: int) -> Callable[[], object]:
    """Every line opens a quote that no other closes."""
    raw = b"text,b\n" + b'a","d\n' * count
    rules = RowRules(DEFAULT_COLUMNS, {}, 2**24)

    def read() -> None:
        with pytest.raises(StreamDamaged, match="too many quotes: from here on"):
            list(read_csv(split_lines(iter([raw]), max_bytes=2**24), "a.csv", rules))

    return read


def repeated(text: str) -> Callable[[int], Callable[[], object]]:
    """A docstring that repeats a piece of markup without its end."""
    return lambda count: lambda: description("Words " + text * count)


@pytest.mark.parametrize(
    "make",
    [
        csv_header,
        csv_quotes,
        repeated(":a"),
        repeated("["),
        repeated("[a]("),
        repeated("`a <"),
        repeated(":a:`b "),
        repeated("x         "),
        lambda count: lambda: row_id("a\u0301" * count),
        lambda count: lambda: rows_begun(b'{"a":1' + b', {"a":' * count),
        lambda count: lambda: rows_begun(b'{"a":1,' + b" " * 4 * count),
    ],
    ids=[
        *("header", "quotes", "role", "link", "url", "target", "text", "space", "marks"),
        *("rows begun", "space between them"),
    ],
)
def test_time_grows_with_the_bytes_and_no_faster(make):
    """Sixteen times as much takes 16 times as long, were it quadratic 256 times."""
    small, large = seconds(make(4_000)), seconds(make(64_000))
    assert large < 80 * small


def seconds(work: Callable[[], object]) -> float:
    """Processor time, the least of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return max(min(taken), 2e-4)
