"""Well-formed input in every format, columns and filters."""

import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.config.pool import ColumnNames
from selection.corpus.lines import split_lines
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record

ROWS = [
    {"text": "alpha beta", "domain": "law", "label": 3},
    {"text": "gamma", "domain": "news", "label": 0},
    {"text": "caf\u00e9 \U0001f600", "domain": "law", "label": None},
]


def write(path: Path) -> Path:
    """Write ROWS in the format that the name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif path.suffix == ".csv":
        lines = [
            f"{r['text']},{r['domain']},{'' if r['label'] is None else r['label']}" for r in ROWS
        ]
        path.write_text("\n".join(["text,domain,label", *lines]), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(r) + "\n" for r in ROWS), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_the_formats_give_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    records = list(read_path(path, columns=ColumnNames(label="label")))
    texts = [(r.text, r.label) for r in records if isinstance(r, Record)]
    assert texts == [("alpha beta", "3"), ("gamma", "0"), ("caf\u00e9 \U0001f600", None)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_filter_keeps_only_the_rows_of_one_domain(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    kept = list(read_path(path, where={"domain": "law"}))
    assert [r.text for r in kept if isinstance(r, Record)] == ["alpha beta", "caf\u00e9 \U0001f600"]
    assert [r.text for r in read_path(path, where={"label": "3"}) if isinstance(r, Record)] == [
        "alpha beta"
    ]
    missing = list(read_path(path, where={"region": "x"}))
    assert {r.kind for r in missing if isinstance(r, BadRecord)} == {"missing filter column"}


def test_dictionary_columns_of_parquet_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    text = pa.array(["x y", "x y", "z"]).dictionary_encode()
    pq.write_table(pa.table({"text": text}), path)
    assert [r.text for r in read_path(path) if isinstance(r, Record)] == ["x y", "x y", "z"]


def test_prompt_and_response_are_a_row_unless_the_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {"question": "Why?", "answer": "Because."},
        {"question": "Why?", "answer": "So.", "text": "given"},
        {"question": "Why?"},
        {"question": "Why?", "answer": " "},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    named = {"prompt": "question", "response": "answer"}
    records = list(read_path(path, columns=ColumnNames(**named)))
    assert [r.text for r in records if isinstance(r, Record)] == ["Why?\n\nBecause.", "Why?\n\nSo."]
    assert [(r.prompt, r.response) for r in records[:1] if isinstance(r, Record)] == [
        ("Why?", "Because.")
    ]
    bad = [r.kind for r in records if isinstance(r, BadRecord)]
    assert bad == ["no answer", "empty turn"]
    records = list(read_path(path, columns=ColumnNames(text="text", **named)))
    assert [r.text for r in records if isinstance(r, Record)] == ["Why?\n\nBecause.", "given"]


def test_a_folder_is_read_in_the_order_of_names_with_relative_origins(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/1.jsonl", "a.jsonl", "c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": name}) + "\n")
    origins = [record.origin for record in read_path(tmp_path)]
    assert origins == ["a.jsonl:1", "b/1.jsonl:1", "b/2.jsonl:1", "c.jsonl:1"]


@pytest.mark.parametrize(
    ("name", "where", "message"),
    [
        ("absent.jsonl", None, "no such file"),
        ("a.xml", None, r"unknown format.*\.parquet"),
        ("a.txt", {"domain": "law"}, "no columns"),
    ],
)
def test_a_wrong_request_is_refused_at_once(
    tmp_path: Path, name: str, where: dict[str, str] | None, message: str
) -> None:
    (tmp_path / "a.xml").touch()
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match=message):
        read_path(tmp_path / name, where=where)


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b""]), max_size=30), st.data())
def test_lines_do_not_depend_on_where_the_blocks_end(
    parts: list[bytes], data: st.DataObject
) -> None:
    raw = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=8).map(sorted))
    edges = [0, *cuts, len(raw)]
    blocks = [raw[a:b] for a, b in pairwise(edges) if a < b]
    lines = list(split_lines(iter(blocks), max_bytes=100))
    assert [line.raw for line in lines] == raw.splitlines()
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
