"""A row is kept as it came: its very text, its types, and the columns that nobody looks at."""

import datetime
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
from exporting import rows_of
from hypothesis import given
from hypothesis import strategies as st

from selection.config.pool import ColumnNames
from selection.corpus.kept_columns import not_kept, row_line, typed_table
from selection.corpus.originals import one_line
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.export.files import lost_columns, write_files

AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=datetime.UTC)


def typed() -> pa.Table:
    return pa.table(
        {
            "text": pa.array(["One row.", "Another row.", "A third."]),
            "id": pa.array([1, None, 3], pa.int16()),
            "share": pa.array([0.5, None, 2.0], pa.float32()),
            "at": pa.array([AT, None, AT], pa.timestamp("us", tz="UTC")),
            "day": pa.array([AT.date(), None, datetime.date(1, 1, 1)], pa.date32()),
            "clock": pa.array([AT.time(), None, AT.time()], pa.time64("us")),
            "price": pa.array([Decimal("1.50"), None, Decimal("-3.25")], pa.decimal128(9, 2)),
            "tags": pa.array([["a", None], None, []], pa.list_(pa.string())),
            "seen": pa.array(
                [[{"at": AT, "by": "x"}], None, []],
                pa.list_(pa.struct({"at": pa.timestamp("us", tz="UTC"), "by": pa.string()})),
            ),
            "nothing": pa.nulls(3),
            "good": pa.array([True, None, False]),
        }
    )


def given_back() -> pa.Table:
    clock = typed()["clock"].cast(pa.string())
    return typed().set_column(typed().column_names.index("clock"), "clock", clock)


def test_columns_of_a_table_keep_their_types_through_the_process_that_reads_them(tmp_path):
    pq.write_table(typed(), tmp_path / "a.parquet")
    rows = rows_of(tmp_path / "a.parquet", tmp_path, apart=True)
    [file] = write_files(rows, "original", "parquet")
    (tmp_path / "out.parquet").write_bytes(file.content)
    assert pq.read_table(tmp_path / "out.parquet").equals(given_back())
    assert lost_columns(rows) == []
    # The order of an export is not that of the file.
    [file] = write_files(rows[::-1], "original", "parquet")
    (tmp_path / "out.parquet").write_bytes(file.content)
    assert pq.read_table(tmp_path / "out.parquet").equals(given_back().take([2, 1, 0]))


def test_what_cannot_be_kept_of_a_table_is_said(tmp_path):
    table = typed().append_column("picture", pa.array([b"\x89PNG", None, b""]))
    pq.write_table(table, tmp_path / "a.parquet")
    rows = rows_of(tmp_path / "a.parquet", tmp_path)
    assert lost_columns(rows) == ["picture (binary)"]
    assert not_kept(table.schema) == ["picture (binary)"]
    [file] = write_files(rows, "original", "jsonl")
    assert "picture" not in json.loads(file.content.splitlines()[0])


def test_a_table_and_lines_of_one_format_go_into_one_table(tmp_path):
    pq.write_table(typed().select(["text", "id"]), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"text": "From a line.", "id": 9, "more": "x"}\n')
    rows = rows_of(tmp_path / "b.jsonl", tmp_path) + rows_of(tmp_path / "a.parquet", tmp_path)
    [file] = write_files(rows, "original", "parquet")
    (tmp_path / "out.parquet").write_bytes(file.content)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["id"].to_pylist() == [9, 1, None, 3]
    assert found["more"].to_pylist() == ["x", None, None, None]


def test_columns_that_are_named_are_kept_by_their_own_names(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"task": "Ask.", "result": "Answer.", "by": "me"}\n')
    columns = ColumnNames(instruction="task", output="result")
    [row] = rows_of(tmp_path / "a.jsonl", tmp_path, columns)
    assert row.original is not None
    assert row.original.renamed() == {"instruction": "task", "output": "result"}
    [file] = write_files([row], "original", "jsonl")
    assert file.content == (tmp_path / "a.jsonl").read_bytes()
    assert file.column("output") == "result" and file.has("output") and not file.has("input")


def test_several_objects_on_a_line_and_one_on_several_are_a_line_each(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "One."} {"text":  "Two."}\r\n{"text": "Three."}')
    rows = rows_of(tmp_path / "a.jsonl", tmp_path)
    assert {row.as_it_came for row in rows} == {
        '{"text": "One."}',
        '{"text":  "Two."}',
        '{"text": "Three."}',
    }
    (tmp_path / "b.json").write_text('[\n {\n  "text": "One.\\n Two.",\r\n  "n": [1,\n2]\n }\n]')
    [row] = rows_of(tmp_path / "b.json", tmp_path)
    assert json.loads(row.as_it_came) == {"text": "One.\n Two.", "n": [1, 2]}
    assert "\n" not in row.as_it_came and "\r" not in row.as_it_came


@given(st.recursive(st.none() | st.text() | st.floats(allow_nan=False), st.lists, max_leaves=9))
def test_json_on_one_line_says_the_same(value):
    assert json.loads(one_line(json.dumps(value, indent=1))) == value
    assert "\n" not in one_line(json.dumps(value, indent=1))


def test_of_duplicates_the_first_is_kept_and_of_targets_none(tmp_path):
    lines = ['{"text": "Same row.", "id": 1}', '{"text": "Same  row.", "id": 2}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    [row] = rows_of(tmp_path / "a.jsonl", tmp_path)
    assert row.as_it_came == lines[0]
    assert all(
        isinstance(r, Record) and r.original is None for r in read_path(tmp_path / "a.jsonl")
    )


def test_a_time_that_python_does_not_have_is_kept_as_it_is_written(tmp_path):
    wild = pa.array([-(2**60), 0], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["One.", "Two."], "at": wild}), tmp_path / "a.parquet")
    rows = rows_of(tmp_path / "a.parquet", tmp_path)
    assert len(rows) == 2 and json.loads(rows[1].as_it_came)["at"].startswith("1970-01-01")


def test_columns_beside_that_are_no_utf8_or_too_large_make_a_bad_row(tmp_path):
    text = pa.array(["One.", "Two."])
    other = pa.array([b"\xff", b"ok"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": text, "note": other}), tmp_path / "a.parquet")
    bad, good = read_path(tmp_path / "a.parquet", originals=True)
    assert isinstance(bad, BadRecord)
    assert bad.reason == "invalid UTF-8: byte 0 of 'note'"
    assert isinstance(good, Record) and good.original is not None
    (tmp_path / "b.csv").write_text("text,note\nOne.," + "x" * 200 + "\n")
    [bad] = read_path(tmp_path / "b.csv", originals=True, max_bytes_per_row=220)
    assert isinstance(bad, BadRecord) and bad.kind == "row too large"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": st.none() | st.integers(-(2**31), 2**31 - 1),
                "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "at": st.none() | st.datetimes(),
                "all": st.none() | st.lists(st.none() | st.text(st.characters(codec="utf-8"))),
            }
        )
    )
)
def test_rows_of_a_table_are_the_same_after_they_were_lines(rows):
    kinds = {"n": pa.int32(), "x": pa.float64(), "at": pa.timestamp("us")}
    schema = pa.schema({**kinds, "all": pa.list_(pa.large_string())})
    table = pa.Table.from_pylist(rows, schema=schema)
    lines = [json.loads(row_line(row)) for row in table.to_pylist()]
    assert typed_table(lines, schema).equals(table)
