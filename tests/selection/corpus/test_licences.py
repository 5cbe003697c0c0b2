"""A row's licence, in the column that has its name."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selection.config.pool import ColumnNames
from selection.corpus.readers import read_path
from selection.corpus.records import Record


def licences(path: Path, columns: ColumnNames | None = None) -> list[str | None]:
    """Of each row of a file, all of which can be used."""
    records = list(read_path(path, columns=columns or ColumnNames()))
    assert all(isinstance(record, Record) for record in records), records
    return [record.licence for record in records if isinstance(record, Record)]


@pytest.mark.parametrize("name", ["license", "licence"])
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_it_is_read_without_being_named(tmp_path: Path, name: str, ending: str) -> None:
    rows = [{"text": "alpha beta", name: " MIT "}, {"text": "gamma", name: ""}]
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", name])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert licences(path) == ["MIT", None]


@pytest.mark.parametrize(
    "said",
    [None, 3, 0.5, ["MIT"], {"name": "MIT"}, "M" * 81, "Permission is\nhereby granted", "\ud800"],
)
def test_what_names_none_is_no_fault_of_the_row(tmp_path: Path, said: object) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "alpha", "license": said}) + "\n")
    assert licences(path) == [None]


def test_where_a_column_is_named_no_other_one_says_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": "alpha", "license": "MIT", "terms": "CC0-1.0"}, {"text": "b", "terms": None}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert licences(path, ColumnNames(licence="terms")) == ["CC0-1.0", None]


def test_a_conversation_has_one_as_well(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path.write_text(json.dumps({"messages": turns, "license": "apache-2.0"}) + "\n")
    assert licences(path) == ["apache-2.0"]
