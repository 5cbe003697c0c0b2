"""Rows read together are those that are read one by one, whatever stands between them."""

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import ingested

from selection.config.pool import ColumnNames
from selection.corpus import json_blocks
from selection.corpus.json_blocks import read_json_blocks
from selection.corpus.json_lines import read_json_lines
from selection.corpus.limits import MAX_BYTES_PER_ROW
from selection.corpus.lines import split_lines
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_block import RowBlock, one_by_one
from selection.corpus.row_rules import RowRules
from selection.corpus.streams import StreamDamaged

PLAIN = ColumnNames()
NAMED = ColumnNames(text="body", label="topic", licence="terms", split="part")

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "a\u0000b", "\ud800", "e" + "\u0301" * 40, "2020-01-01", "x" * 300]),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(st.none(), max_size=1),
    st.dictionaries(st.just("k"), st.none(), max_size=1),
)
NAMES = ["text", "body", "label", "topic", "license", "terms", "part", "prompt", "messages", "n"]
ROWS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4).map(json.dumps)
GOOD = TEXTS.map(lambda text: json.dumps({"text": text, "n": 1}))
ODD = st.sampled_from(
    [
        "",
        "  ",
        '{"text": "twice", "text": "given"}',
        '{"text": "two"}{"text": "on a line"}',
        ' {"text": "behind a space"}',
        '{"text": "before a space"} ',
        '{"text": NaN}',
        '{"text": "a", "n": ' + "1" * 400 + "}",
        '{"text": "a", "n": ' + "1" * 5000 + ".0}",
        '{"text": "cut',
        "[1, 2]",
        '[{"text": "a"}, {"text": "b"}]',
        '"a text"',
        '{"text": "\\ud83d\\ude00 \\u00e9"}',
        '{"text": "\\ud83d"}',
        '{"text": "a\tb"}',
        "\ufeff" + '{"text": "marked"}',
        '{"a": ' + "[" * 70 + "]" * 70 + ', "text": "deep"}',
        '{"text": "\\/ \\n \\" {[:,]}"}',
        "{}",
    ]
)
ENDINGS = st.sampled_from(["\n"] * 20 + ["\r\n", "\r", ""])
FILES = st.lists(st.tuples(st.one_of(GOOD, GOOD, ROWS, ODD), ENDINGS), max_size=12).map(
    lambda lines: "".join(line + end for line, end in lines).encode("utf-8", "surrogatepass")
)


def rules_of(columns: ColumnNames = PLAIN, max_bytes: int = MAX_BYTES_PER_ROW) -> RowRules:
    return RowRules(columns, {}, max_bytes, originals=True, together=True)


def in_blocks(content: bytes, size: int, damage: str | None = None) -> Iterator[bytes]:
    """Give content in blocks of a size, and a damage at its end."""
    for start in range(0, len(content), size):
        yield content[start : start + size]
    if damage is not None:
        raise StreamDamaged(damage)


def read(how: str, content: bytes, size: int, rules: RowRules, damage: str | None) -> list:
    """Read to the end, or to the damage, of which all is told."""
    blocks, found = in_blocks(content, size, damage), []
    try:
        if how == "together":
            found += one_by_one(read_json_blocks(blocks, "f", rules))
        else:
            lines = split_lines(blocks, max_bytes=rules.max_bytes_per_row)
            found += read_json_lines(lines, "f", rules)
    except StreamDamaged as cut:
        found.append((str(cut), cut.line, cut.raw_sha256))
    return [one if isinstance(one, tuple | BadRecord) else told(one) for one in found]


def told(record: Record) -> tuple:
    """All of a record but its columns, which of rows read together are those of all."""
    return tuple(getattr(record, name) for name in Record.__slots__ if name != "columns")


@settings(max_examples=400, deadline=None)
@given(
    FILES,
    st.integers(1, 200),
    st.sampled_from([PLAIN, NAMED]),
    st.sampled_from([MAX_BYTES_PER_ROW, 60]),
    st.sampled_from([None, "the stream ends"]),
    st.sampled_from([1, 64, 2**18]),
)
def test_any_file_is_read_the_same(content, size, columns, max_bytes, damage, piece):
    rules, before = rules_of(columns, max_bytes), json_blocks.PIECE
    json_blocks.PIECE = piece
    try:
        together, apart = (
            read(how, content, size, rules, damage) for how in ("together", "one by one")
        )
    finally:
        json_blocks.PIECE = before
    assert together == apart


def clean_lines(n: int) -> list[str]:
    draw = random.Random(0)
    rows = [
        {"text": f"{i} " + "é" * draw.randrange(30), "license": "MIT" if i % 3 else None, "n": i}
        for i in range(n)
    ]
    return [json.dumps(row, ensure_ascii=bool(i % 2)) for i, row in enumerate(rows)]


def test_clean_rows_do_come_together():
    content = "".join(line + "\n" for line in clean_lines(3_000)).encode()
    found = list(read_json_blocks(in_blocks(content, 2**16), "f", rules_of()))
    assert all(isinstance(one, RowBlock) for one in found)
    assert [len(one) for one in found] and sum(map(len, found)) == 3_000
    assert len(found) < 10
    assert {one.columns for one in found} == {("text", "license", "n")}


def test_one_odd_row_leaves_the_other_pieces_together(monkeypatch):
    monkeypatch.setattr(json_blocks, "PIECE", 4_000)
    lines = clean_lines(1_000)
    lines[500] = '{"text": ""}'
    content = "".join(line + "\n" for line in lines).encode()
    found = list(read_json_blocks(in_blocks(content, 2**20), "f", rules_of()))
    apart = [one for one in found if not isinstance(one, RowBlock)]
    [bad] = [one for one in apart if isinstance(one, BadRecord)]
    assert (bad.origin, bad.kind) == ("f:501", "empty text")
    assert len(apart) < 120


@pytest.mark.parametrize("memory", [1, 20_000, 2**28])
def test_a_source_has_the_same_files_whether_rows_come_together_or_not(tmp_path, memory):
    lines = clean_lines(300)
    path = tmp_path / "rows.jsonl"
    lines[::50] = lines[:6]  # copies, some of them in one block
    path.write_text("".join(line + "\n" for line in [*lines, *lines[:40]]), "utf-8")
    apart = ingested(read_path(path, originals=True))
    together = ingested(read_path(path, originals=True, together=True), memory=memory)
    assert together.file == apart.file
    assert together.as_they_came == apart.as_they_came
    assert (together.n_read, together.n_duplicates) == (apart.n_read, apart.n_duplicates)
    assert together.formats == apart.formats
