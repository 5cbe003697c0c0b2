"""Hostile and damaged files: bad rows are set aside, good rows are kept, nothing is fatal."""

import gzip
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from selection.config.pool import ColumnNames
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.streams import open_regular, read_blocks


def split(records: Iterable[Record | BadRecord]) -> tuple[list[Record], list[BadRecord]]:
    """Part good records from bad ones."""
    everything = list(records)
    good = [record for record in everything if isinstance(record, Record)]
    return good, [record for record in everything if isinstance(record, BadRecord)]


def row(text: object) -> bytes:
    """Return one JSON line."""
    return json.dumps({"text": text}).encode() + b"\n"


def incompressible_rows(count: int) -> bytes:
    """Return JSON lines that no compression can shrink away."""
    return b"".join(
        row(hashlib.sha256(bytes([i % 256, i // 256])).hexdigest()) for i in range(count)
    )


def sha(raw: bytes) -> str:
    """Return the hash that quarantine should hold."""
    return hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"text": "caf\xe9"}', "invalid UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', "invalid UTF-8"),
        (b'{"text": "a \\ud800 b"}', "lone surrogate"),
        (b'{"text": "a \\u0000 b"}', "NUL character"),
        (b'{"text": "a \x00 b"}', "NUL character"),
        (b'{"text": ""}', "empty text"),
        (b'{"text": " \\n\\t "}', "empty text"),
        (b'{"body": "hello"}', "missing text column"),
        (b'{"text": null}', "missing text column"),
        (b'{"text": 7}', "wrong type"),
        (b'{"text": ["a"]}', "wrong type"),
        (b"[1, 2]", "wrong type"),
        (b"17", "wrong type"),
        (b'{"text": "unclosed', "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_json_line_is_quarantined_with_its_line_and_hash(
    tmp_path: Path, line: bytes, kind: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(row("first") + line + b"\n" + row("last"))
    good, bad = split(read_path(path))
    assert [record.text for record in good] == ["first", "last"]
    assert [record.origin for record in good] == ["rows.jsonl:1", "rows.jsonl:3"]
    assert [(record.origin, record.kind) for record in bad] == [("rows.jsonl:2", kind)]
    assert bad[0].raw_sha256 == sha(line)


def test_brackets_inside_a_string_are_not_nesting(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(row("[{" * 500 + '"\\'))
    good, bad = split(read_path(path))
    assert (len(good), bad) == (1, [])


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.txt", "rows.csv"])
def test_a_100_mb_line_is_passed_over_without_being_held(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    before, between, after = {
        "rows.jsonl": (row("first"), b"\n", row("last")),
        "rows.txt": (b"first\n\n", b"\n\n", b"last\n"),
        "rows.csv": (b"text\nfirst\n", b"\n", b"last\n"),
    }[name]
    with path.open("wb") as file:
        file.write(before)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(between + after)
    tracemalloc.start()
    good, bad = split(read_path(path, max_bytes_per_row=2**20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [record.text for record in good] == ["first", "last"]
    assert [record.kind for record in bad] == ["row too large"]
    assert peak < 16 * 2**20
    if name != "rows.txt":
        expected = hashlib.sha256()
        for _ in range(100):
            expected.update(b"x" * 1_000_000)
        assert bad[0].raw_sha256 == expected.hexdigest()


def pack_gzip(raw: bytes) -> bytes:
    return gzip.compress(raw)


def pack_zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


PACKINGS = [("rows.jsonl.gz", pack_gzip), ("rows.jsonl.zst", pack_zstd)]


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_packed_lines_are_read_over_several_members(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(b"\xef\xbb\xbf" + row("one") + b'{"text": ') + pack(b'"two"}\n'))
    good, bad = split(read_path(path))
    assert ([record.text for record in good], bad) == (["one", "two"], [])


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_truncated_stream_gives_its_good_rows_and_one_bad_record(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    raw = incompressible_rows(20_000)
    packed = pack(raw)
    path = tmp_path / name
    path.write_bytes(packed[: len(packed) // 2])
    good, bad = split(read_path(path))
    assert [record.kind for record in bad] == [f"truncated {name.split('.')[-1]} stream"]
    assert 8_000 < len(good) < 12_000
    assert [record.origin for record in good] == [f"{name}:{i + 1}" for i in range(len(good))]
    assert [record.text for record in good] == [
        json.loads(line)["text"] for line in raw.splitlines()[: len(good)]
    ]
    assert bad[0].origin == f"{name}:{len(good) + 1}"


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_short_truncated_file_still_gives_the_rows_before_the_cut(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(row("kept")) + pack(incompressible_rows(50))[:-3])
    good, bad = split(read_path(path))
    assert (good[0].text, len(bad)) == ("kept", 1)


@pytest.mark.parametrize(("name", "pack"), PACKINGS)
def test_a_flipped_byte_or_an_empty_packed_file_is_one_bad_record(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    packed = bytearray(pack(incompressible_rows(2_000)))
    packed[-2] ^= 0xFF  # in the checksum
    path.write_bytes(packed)
    assert split(read_path(path))[1][0].kind.startswith("corrupt")
    path.write_bytes(b"")
    good, bad = split(read_path(path))
    assert (good, len(bad)) == ([], 1)


def write_parquet(
    path: Path, table: dict[str, pa.Array | list[str]], row_group_size: int | None = None
) -> None:
    pq.write_table(pa.table(table), path, row_group_size, write_page_checksum=True)


def test_a_truncated_parquet_is_one_bad_record(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(path, {"text": [f"row {i}" for i in range(1000)]})
    raw = path.read_bytes()[:-20]
    path.write_bytes(raw)
    good, bad = split(read_path(path))
    assert good == []
    assert [(record.kind, record.raw_sha256) for record in bad] == [
        ("unreadable Parquet", sha(raw))
    ]


def test_a_damaged_row_group_costs_only_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(path, {"text": [f"row {i}" for i in range(300)]}, row_group_size=100)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    raw = bytearray(path.read_bytes())
    raw[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 0xFF
    path.write_bytes(raw)
    good, bad = split(read_path(path))
    assert [record.origin for record in good] == [
        f"rows.parquet#{i}" for i in range(300) if not 100 <= i < 200
    ]
    assert [record.origin for record in bad] == ["rows.parquet#100"]
    assert "rows 100 to 199" in bad[0].reason


def test_parquet_cells_are_judged_one_by_one(tmp_path: Path) -> None:
    cells = [b"good", b"caf\xe9", b"a\0b", b"  ", None]
    text = pa.Array.from_buffers(pa.string(), 5, pa.array(cells, pa.binary()).buffers())
    write_parquet(tmp_path / "a.parquet", {"text": text})
    write_parquet(tmp_path / "b.parquet", {"text": pa.array([1], pa.int64())})
    write_parquet(tmp_path / "c.parquet", {"text": pa.array([2**62], pa.timestamp("us"))})
    write_parquet(tmp_path / "d.parquet", {"body": ["no text here", "nor here"]})
    write_parquet(tmp_path / "e.parquet", {"text": pa.array([["a"]], pa.list_(pa.string()))})
    good, bad = split(read_path(tmp_path))
    assert [record.text for record in good] == ["good"]
    assert [(record.origin, record.kind) for record in bad] == [
        ("a.parquet#1", "invalid UTF-8"),
        ("a.parquet#2", "NUL character"),
        ("a.parquet#3", "empty text"),
        ("a.parquet#4", "missing text column"),
        ("b.parquet#0", "wrong type"),
        ("c.parquet#0", "wrong type"),
        ("d.parquet#0", "missing text column"),
        ("d.parquet#1", "missing text column"),
        ("e.parquet#0", "wrong type"),
    ]


def test_csv_posing_as_json_lines_is_all_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('id,text\n1,"hello, world"\n2,bye\n')
    good, bad = split(read_path(path))
    assert (good, [record.kind for record in bad]) == ([], ["not JSON"] * 3)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.txt"])
def test_a_byte_order_mark_and_mixed_line_endings_are_no_matter(tmp_path: Path, name: str) -> None:
    ends = [b"\n", b"\r\n", b"\r"] * 400
    rows = {
        "rows.jsonl": [
            json.dumps({"text": f"row {i}"}).encode() + end for i, end in enumerate(ends)
        ],
        "rows.csv": [b"text\r\n"] + [f"row {i}".encode() + end for i, end in enumerate(ends)],
        "rows.txt": [f"row {i}".encode() + end + end for i, end in enumerate(ends)],
    }[name]
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + b"".join(rows))
    good, bad = split(read_path(path))
    assert ([record.text for record in good], bad) == ([f"row {i}" for i in range(1200)], [])


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert list(read_path(tmp_path / name)) == []


def test_a_malformed_csv_row_does_not_hide_the_rows_after_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(
        b'text,n\ngood one,1\n"never closed,2\ngood two,3\ncaf\xe9,4\nshort\na,b,c\n'
        b'"a quoted\r\nline",5\n\nnul \x00 here,6\n,7\nlast,8\n'
    )
    good, bad = split(read_path(path))
    assert [(record.text, record.origin) for record in good] == [
        ("good one", "rows.csv:2"),
        ("good two", "rows.csv:4"),
        ("a quoted\nline", "rows.csv:8"),
        ("last", "rows.csv:13"),
    ]
    assert [(record.origin, record.kind) for record in bad] == [
        ("rows.csv:3", "malformed CSV"),
        ("rows.csv:5", "invalid UTF-8"),
        ("rows.csv:6", "malformed CSV"),
        ("rows.csv:7", "malformed CSV"),
        ("rows.csv:11", "NUL character"),
        ("rows.csv:12", "empty text"),
    ]
    assert bad[0].raw_sha256 == sha(b'"never closed,2')


def test_an_unusable_csv_header_condemns_every_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,text\na,b\nc,d\n")
    assert [record.kind for record in split(read_path(path))[1]] == ["unusable CSV header"] * 3


def test_bad_paragraphs_are_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(b"one\nstill one\n \t\n\ncaf\xe9\n\nnul\0\n\n" + b"long " * 50 + b"\n\nlast")
    good, bad = split(read_path(path, max_bytes_per_row=100))
    assert [(record.text, record.origin) for record in good] == [
        ("one\nstill one", "rows.txt:1"),
        ("last", "rows.txt:11"),
    ]
    assert [(record.origin, record.kind) for record in bad] == [
        ("rows.txt:5", "invalid UTF-8"),
        ("rows.txt:7", "NUL character"),
        ("rows.txt:9", "row too large"),
    ]


def test_links_that_escape_pipes_and_unknown_files_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(row("secret"))
    folder = tmp_path / "drop"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "good.jsonl").write_bytes(row("good"))
    (folder / "a.jsonl").symlink_to(outside)
    (folder / "b.jsonl").symlink_to("b.jsonl")
    (folder / "c.jsonl").symlink_to("nowhere.jsonl")
    (folder / "d").symlink_to(tmp_path)
    os.mkfifo(folder / "e.jsonl")
    (folder / "f.doc").touch()
    (folder / "g.jsonl").symlink_to("inner/good.jsonl")
    (folder / ".hidden.jsonl").write_bytes(row("hidden"))
    good, bad = split(read_path(folder))
    assert [record.origin for record in good] == ["g.jsonl:1", "inner/good.jsonl:1"]
    assert [(record.origin, record.kind) for record in bad] == [
        ("a.jsonl:0", "symlink leaves the folder"),
        ("b.jsonl:0", "symlink loop"),
        ("c.jsonl:0", "cannot be opened"),
        ("d:0", "symlink to a folder"),
        ("e.jsonl:0", "not a regular file"),
        ("f.doc:0", "unknown format"),
    ]
    assert bad[0].raw_sha256 == sha(os.fsencode(outside))


def test_a_single_file_or_folder_may_not_leave_the_given_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jsonl").write_bytes(row("secret"))
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "file.jsonl").symlink_to(tmp_path / "real" / "a.jsonl")
    (drop / "folder").symlink_to(tmp_path / "real")
    for name in ("file.jsonl", "folder"):
        good, bad = split(read_path(drop / name, root=drop))
        assert (good, [record.reason for record in bad]) == ([], ["symlink leaves the folder"])
    # A folder that a person names is followed; a file by default stays beside its own name.
    assert len(split(read_path(drop / "folder"))[0]) == 1
    assert split(read_path(drop / "file.jsonl"))[0] == []


def test_only_the_bytes_present_at_opening_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(row("present"))
    with open_regular(path, tmp_path) as file:
        blocks = read_blocks(file, block=4)
        first = next(blocks)
        with path.open("ab") as writer:
            writer.write(row("appended"))
        assert first + b"".join(blocks) == row("present")


def test_a_file_that_grows_under_the_reader_gives_only_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(incompressible_rows(40_000))  # several blocks
    records = read_path(path)
    first = next(records)
    with path.open("ab") as writer:
        writer.write(row("appended"))
    good, bad = split(records)
    assert (isinstance(first, Record), len(good), bad) == (True, 39_999, [])


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(incompressible_rows(40_000))  # several blocks
    records = read_path(path)
    next(records)
    os.truncate(path, 8)
    good, bad = split(records)
    assert [record.kind for record in bad] == ["file shrank while it was read"]
    assert bad[0].origin == f"rows.jsonl:{len(good) + 2}"


def test_a_misspelt_column_of_a_table_is_not_taken_for_empty(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nhello,\nworld,spam\n")
    good, bad = split(read_path(path, columns=ColumnNames(label="label")))
    assert ([record.label for record in good], bad) == ([None, "spam"], [])
    good, bad = split(read_path(path, columns=ColumnNames(label="lable")))
    assert (good, [record.kind for record in bad]) == ([], ["missing column"] * 2)
