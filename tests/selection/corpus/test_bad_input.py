"""Hostile lines, paragraphs and tables: bad rows are set aside, the good are kept."""

import hashlib
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_files import row, sha, split

from selection.config.pool import ColumnNames
from selection.corpus.readers import read_path
from selection.corpus.records import UnreadPart


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
        (b'{"body": "hello"}', "no known format"),
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


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"text;label\nhello;x\n", "parted by ',', not ';'"),
        ("a.csv", b'"id";"text"\n"1";"x"\n', "parted by ',', not ';'"),
        ("a.tsv", b"text,label\nhello,x\n", "parted by '\\t', not ','"),
        ("a.csv", "text,label\nhello,x\n".encode("utf-16"), "UTF-16 does; save the file as UTF-8"),
        ("a.txt", "hello\n".encode("utf-16"), "UTF-16 does; save the file as UTF-8"),
        ("a.jsonl", '{"text": "a"}\n'.encode("utf-16"), "UTF-16 does; save the file as UTF-8"),
    ],
)
def test_a_table_as_other_programs_write_it_is_told_what_to_change(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    good, bad = split(read_path(tmp_path / name))
    assert not good
    assert said in bad[0].reason


def test_a_row_that_ends_at_the_next_wrong_quote_costs_no_row_between(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    between = "".join(f"title {i},text {i},pos\n" for i in range(50))
    path.write_text(f'title,text,label\n"The great,abc,pos\n{between}other,10",neg\n{between}')
    good, bad = split(read_path(path))
    assert len(good) == 101
    assert [record.origin for record in bad] == ["rows.csv:2"]


def test_a_file_whose_quotes_cannot_be_told_apart_is_not_read_on(tmp_path: Path) -> None:
    """The rows before are kept, and what follows is no row that a share of bad ones excuses."""
    path = tmp_path / "rows.csv"
    path.write_text("text,b\ngood,1\n" + 'a","d\n' * 20_000)
    good, [*rows, rest] = split(read_path(path))
    assert [record.text for record in good] == ["good"]
    assert {record.kind for record in rows} == {"malformed CSV"}
    assert isinstance(rest, UnreadPart)
    assert rest.origin == f"rows.csv:{len(rows) + 3}"
    assert "write a quote within a cell twice" in rest.reason


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


def test_a_misspelt_column_of_a_table_is_not_taken_for_empty(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nhello,\nworld,spam\n")
    good, bad = split(read_path(path, columns=ColumnNames(label="label")))
    assert ([record.label for record in good], bad) == ([None, "spam"], [])
    good, bad = split(read_path(path, columns=ColumnNames(label="lable")))
    assert (good, [record.kind for record in bad]) == ([], ["missing column"] * 2)


def test_neither_a_name_nor_a_type_forges_a_line_of_output(tmp_path):
    forged = "\x1b[2Ja\nall 300 rows ok"
    folder = tmp_path / "shards"
    folder.mkdir()
    pq.write_table(pa.table({"text": [{forged: "a"}]}), folder / f"{forged}.parquet")
    (folder / f"{forged}.jsonl").write_bytes(row("good") + row(""))
    good, bad = split(read_path(folder))
    assert (len(good), len(bad)) == (1, 2)
    assert good[0].origin == r"\x1b[2Ja\nall 300 rows ok.jsonl:1"
    for record in bad:
        assert (record.origin + record.reason).isprintable()
