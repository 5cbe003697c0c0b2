"""What may stand for more rows than one is an unread part, and no bad row of which some may be."""

import gzip
import json
import os
from pathlib import Path

import pytest
from bad_files import row, sha, split

from selection.config.pool import ColumnNames
from selection.corpus.limits import MAX_LONE_NULS
from selection.corpus.lines import Beginnings
from selection.corpus.readers import read_path
from selection.corpus.records import UnreadPart

COUNT = 200
LINES = b"".join(row(f"row {i}") for i in range(COUNT))
CSV = b"text,other\n" + b"".join(b"row %d,note %d\n" % (i, i) for i in range(COUNT))
CONTENT = {
    ".jsonl": LINES,
    ".json": b"[" + LINES.replace(b"\n", b",")[:-1] + b"]",
    ".csv": CSV,
    ".tsv": CSV.replace(b",", b"\t"),
    ".txt": b"".join(b"row %d\n\n" % i for i in range(COUNT)),
}


def unread(path: Path, **options: object) -> list[tuple[str, str, int | None]]:
    """Origin, kind and missing rows of each unread part, of which there must be no bad row."""
    bad = split(read_path(path, **options))[1]  # pyright: ignore[reportArgumentType]
    assert all(isinstance(record, UnreadPart) for record in bad), bad
    return [(r.origin, r.kind, r.missing) for r in bad if isinstance(r, UnreadPart)]


def texts(path: Path) -> list[str]:
    return [record.text for record in split(read_path(path))[0]]


# Shards of a folder


@pytest.mark.parametrize("name", ["b.jsonl", "b.json", "b.csv", "b.txt.gz", "b.parquet"])
def test_an_empty_shard_is_an_unread_part_and_seen_before_any_row(tmp_path, name):
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / name).touch()
    first, *others = read_path(tmp_path)
    assert isinstance(first, UnreadPart)
    assert (first.origin, first.reason, len(others)) == (f"{name}:0", "empty file", COUNT)
    assert unread(tmp_path / name) == [(f"{name}:0", "empty file", None)]


def test_a_packed_shard_of_nothing_is_an_unread_part(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b""))
    assert [kind for _, kind, _ in unread(tmp_path)] == ["empty gz stream"]


def test_a_folder_that_may_not_be_read_is_an_unread_part(tmp_path, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    (tmp_path / "shards").mkdir()
    assert unread(tmp_path / "shards") == [("shards:0", "cannot be listed", None)]


def test_a_text_beside_rows_that_are_parted_by_a_column_is_an_unread_part(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.txt").write_text("Of which domain is this?")
    [first, *_] = read_path(tmp_path, where={"domain": "law"})
    assert isinstance(first, UnreadPart) and first.origin == "b.txt:0"


# Runs of NUL bytes


@pytest.mark.parametrize("suffix", CONTENT)
@pytest.mark.parametrize("hole", ["end", "middle"])
def test_a_file_with_a_hole_has_rows_missing(tmp_path, suffix, hole):
    raw = CONTENT[suffix]
    # Within a cell that nobody reads, where the file is a table.
    start = raw.find(b"note 101") + 3 if b"note" in raw else len(raw) // 2 + 2
    end = len(raw) if hole == "end" else start + len(raw) // 4
    path = tmp_path / f"a{suffix}"
    path.write_bytes(raw[:start] + b"\0" * (end - start) + raw[end:])
    good, bad = split(read_path(path))
    assert COUNT // 3 < len(good) < COUNT
    assert bad and isinstance(bad[0], UnreadPart)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".txt"])
def test_a_lone_nul_is_a_bad_row_and_a_run_of_them_is_not(tmp_path, suffix, many):
    nuls = b"\0" * (MAX_LONE_NULS + many)
    path = tmp_path / f"a{suffix}"
    place = {".csv": b"note 7\n", ".txt": b"row 7\n"}.get(suffix, b'row 7"')
    path.write_bytes(CONTENT[suffix].replace(place, nuls + place))
    good, [bad] = split(read_path(path))
    assert len(good) == COUNT - 1
    assert isinstance(bad, UnreadPart) == many
    assert bad.kind == ("zero bytes" if many else "NUL character")


def test_a_nul_in_a_table_whose_cells_are_not_those_of_the_header_is_no_mere_bad_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.replace(b"row 7,", b"row 7\0"))
    assert unread(path) == [("a.csv:9", "zero bytes", None)]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".txt"])
def test_a_hole_larger_than_a_row_may_be_is_seen(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    place = b"note 77\n" if suffix == ".csv" else b"row 77"
    path.write_bytes(CONTENT[suffix].replace(place, b"\0" * 5000 + place))
    found = unread(path, max_bytes_per_row=1000)
    assert [kind for _, kind, _ in found] == ["zero bytes"]


# Several rows in one piece


def test_objects_that_follow_one_another_on_a_line_are_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES + LINES.replace(b"\n", b"") + b"\n" + LINES.replace(b"\n", b" \t"))
    good, bad = split(read_path(path))
    assert (len(good), bad) == (3 * COUNT, [])
    assert {record.origin for record in good[COUNT:]} == {"a.jsonl:201", "a.jsonl:202"}


def test_of_the_objects_of_a_line_each_is_judged_by_itself(tmp_path):
    path = tmp_path / "a.jsonl"
    one, empty, last = row("one").strip(), row("").strip(), b'{"text": "tw'
    path.write_bytes(one + b" " + empty + one + b"\n" + one + last)
    good, bad = split(read_path(path))
    assert [record.text for record in good] == ["one"] * 3
    assert [(r.origin, r.kind, r.raw_sha256) for r in bad] == [
        ("a.jsonl:1", "empty text", sha(empty)),
        ("a.jsonl:2", "file ends within a row", sha(last)),
    ]
    assert isinstance(bad[1], UnreadPart) and not isinstance(bad[0], UnreadPart)


def test_what_follows_a_fault_on_a_line_is_counted_by_where_rows_begin(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "one"} {"text": oops} {"text": "two"} {"text": "three"}\n')
    assert texts(path) == ["one"]
    assert unread(path) == [("a.jsonl:1", "more than one row", 3)]


ROWS = [f'{{"text": "row {i}"}}' for i in range(100)]
JOINED = ",".join(ROWS)
CHAT = '{"messages": [{"role": "a", "text": "b"}, {"role": "c", "text": "d"}], "n": %s}'
PIECES = {
    "a list of rows": (".jsonl", f"[{JOINED}]\n", [("a.jsonl:1", 100)]),
    "a list within the array": (".json", f"[[{JOINED}]]", [("a.json:1", 100)]),
    "an object around rows": (
        ".json",
        f'{{"version": 1, "data": [{JOINED}]}}',
        [("a.json:1", 100)],
    ),
    "rows parted by commas": (".jsonl", f"{JOINED}\n", [("a.jsonl:1", 100)]),
    "a brace is missing": (".json", f'[{{"text": "lost", {JOINED}}}]', [("a.json:1", 101)]),
    "an odd quote": (".json", f'[{{"text": "5" screen"}},{JOINED},{{"text": "a" b"}}]', None),
    "the end of a row before": (".jsonl", 'w 0"}' + "".join(ROWS) + "\n", [("a.jsonl:1", 100)]),
    "not UTF-8": (".jsonl", f'[{JOINED},"\udcff"]\n', [("a.jsonl:1", 100)]),
    "nested too deeply": (".jsonl", f"[{JOINED},{'[' * 99}\n", [("a.jsonl:1", 100)]),
}


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_that_holds_several_rows_says_how_many_are_missing(tmp_path, name):
    suffix, raw, expected = PIECES[name]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(raw.encode("utf-8", "surrogateescape"))
    found = unread(path)
    assert [kind for _, kind, _ in found] == ["more than one row"]
    if expected is not None:
        assert [(origin, missing) for origin, _, missing in found] == expected
    assert (found[0][2] or 0) >= 100


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_rows_of_a_piece_that_is_too_large_to_keep_are_counted_as_it_passes(tmp_path, suffix):
    raw = b"[" * (suffix == ".json") + LINES.replace(b"\n", b" ")[:-1]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(raw + (b"]" if suffix == ".json" else b"\n"))
    assert unread(path, max_bytes_per_row=100) == [(f"a{suffix}:1", "more than one row", COUNT)]


@pytest.mark.parametrize("size", [1, 2, 7, 30, 10_000])
def test_beginnings_are_counted_wherever_the_pieces_end(size):
    raw = b'noise {"a": 1, "b": {"a": 2}} ,\n{"a": 3}' + b'{"a": "x"}' * 50
    found = Beginnings()
    for start in range(0, len(raw), size):
        found.add(raw[start : start + size])
    assert found.count == 52


@pytest.mark.parametrize(
    "line",
    [
        CHAT % "oops",
        '{"text": oops}',
        '[{"text": "in a list"}]',
        "[1, 2, 3]",
        CHAT % 1,
        '{"text": "a {\\"text\\": 1}, {\\"text\\": 2}" oops}',
    ],
)
def test_one_row_that_cannot_be_used_is_a_bad_row_whatever_is_in_it(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{line}\n")
    [bad] = split(read_path(path, columns=ColumnNames(text="body")))[1]
    assert not isinstance(bad, UnreadPart)


def test_a_row_that_has_its_text_may_have_lists_of_others(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "one", "near": [{"text": "two"}, {"text": "three"}]}))
    assert texts(path) == ["one"]
