"""The sources that a column's values name, when the files that have them may be anything."""

import os
from pathlib import Path

import bombs
import pyarrow as pa
import pyarrow.parquet as pq
from bad_files import row, split

from selection.config.pool import ColumnNames, Pool
from selection.corpus.limits import MAX_SPLIT_VALUES, MIB
from selection.corpus.naming import MAX_BYTES
from selection.corpus.parquet_process import read_parquet_apart
from selection.corpus.row_rules import RowRules
from selection.corpus.sources import Listing, list_sources


def write(path: Path, values: object, kind: pa.DataType | None = None) -> Path:
    """Write a Parquet file whose column `src` has these values, a row group each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    column = values if isinstance(values, pa.Array) else pa.array(values, kind)
    texts = [f"text {i} of {path.name}" for i in range(len(column))]
    table = pa.table({"text": texts, "src": column})
    pq.write_table(table, path, compression="zstd", row_group_size=max(1, len(column) // 4))
    return path


def listed(path: Path, column: str = "src") -> Listing:
    spec = {"kind": "files", "path": str(path), "split_by": column}
    return list_sources(Pool.model_validate({"name": "p", "sources": [spec]}), Path)


def said(listing: Listing, of: str) -> str:
    [one] = [one for one in listing.not_read if of in one.what]
    return str(one)


def test_a_value_that_no_name_can_be_is_quoted_and_neither_kept_nor_handed_on(tmp_path):
    path = write(
        tmp_path / "a.parquet", ["ok", "x" * 2 * MIB + "\U0001f600", *["x" * 241] * 9, "two"]
    )
    found = listed(path)
    assert list(found.sources) == ["ok", "two"]
    text = said(found, "a.parquet")
    assert "2 x value too long, first at a.parquet#1: column 'src' has one of 2,097,156 bytes" in (
        text
    )
    assert f"a source's name has at most {MAX_BYTES}" in text
    assert len(text) < 2_000
    rules = RowRules(ColumnNames(text="src"), {}, MIB)
    with path.open("rb") as file:
        good, bad = split(read_parquet_apart(file, "a.parquet", rules, distinct=True))
    assert [record.text for record in good] == ["ok", "two"]
    assert max(len(record.reason) for record in bad) < 1_000


def test_values_that_unpack_too_far_end_the_looking_and_it_is_said_where(tmp_path):
    values = ["ok", *(f"{i}" + "x" * 20 * MIB for i in range(3)), "behind"]
    found = listed(write(tmp_path / "a.parquet", values))
    assert list(found.sources) == ["ok"]
    assert "unpacks too far: 5 rows of " in said(found, "a.parquet")


def test_a_column_of_more_values_than_sources_can_be_is_refused_as_a_whole(tmp_path):
    share = MAX_SPLIT_VALUES // 2
    for i in range(2):
        write(tmp_path / f"parts/{i}.parquet", range(i * share, (i + 1) * share))
    assert len(listed(tmp_path / "parts").sources) == MAX_SPLIT_VALUES
    write(tmp_path / "parts/more.parquet", ["one more"])
    found = listed(tmp_path / "parts")
    assert not found.sources
    assert "column 'src' has more than 10,000 values, and each would be a source; name another" in (
        said(found, "parts")
    )


def test_files_are_looked_at_once_however_many_sources_they_have(tmp_path):
    def times_resolved(count: int) -> int:
        asked: list[str] = []

        def resolve(path: str) -> Path:
            asked.append(path)
            return tmp_path / path

        write(tmp_path / "a.parquet", range(count))
        spec = {"kind": "files", "path": "a.parquet", "split_by": "src"}
        found = list_sources(Pool.model_validate({"name": "p", "sources": [spec]}), resolve)
        assert len(set(found.fingerprints.values())) == 1
        assert len(found.sources) == count
        return len(asked)

    assert times_resolved(2) == times_resolved(200)


def test_what_is_no_plain_file_in_a_folder_is_named_and_stops_no_other(tmp_path):
    parts = tmp_path / "parts"
    outside = write(tmp_path / "outside.parquet", ["secret"])
    write(parts / "1.parquet", ["one"])
    write(parts / "2.PARQUET", ["two"])
    write(parts / "spark.parquet/part-0.parquet", ["three"])
    write(parts / "spark.parquet/.hidden/x.parquet", ["hidden"])
    write(parts / ".ipynb_checkpoints/x.parquet", ["hidden"])
    (parts / "spark.parquet/_SUCCESS").touch()
    os.mkfifo(parts / "pipe.parquet")
    (parts / "loop.parquet").symlink_to("loop.parquet")
    (parts / "nothing.parquet").symlink_to("nowhere.parquet")
    (parts / "out.parquet").symlink_to(outside)
    (parts / "folder").symlink_to(tmp_path)
    (parts / "cut.parquet").write_bytes(b"PAR1 and no more")
    (parts / "rows.jsonl").write_bytes(row("a row of no Parquet file"))
    (parts / "notes.docx").touch()
    pq.write_table(pa.table({"text": ["a"]}), parts / "no_column.parquet")
    # Kept open at both ends: whoever waits for a writer of the pipe would wait for ever.
    pipe = os.open(parts / "pipe.parquet", os.O_RDWR | os.O_NONBLOCK)
    try:
        found = listed(parts)
    finally:
        os.close(pipe)
    assert sorted(found.sources) == ["one", "three", "two"]
    reasons = {
        "pipe.parquet": "not a regular file; put a whole file there, or take it away",
        "loop.parquet": "symlink loop",
        "nothing.parquet": "cannot be opened: No such file or directory",
        "out.parquet": "symlink leaves the folder",
        "parts/folder": "a link to a folder, which is not followed",
        "cut.parquet": "unreadable Parquet: ",
        "rows.jsonl": "only Parquet files name sources by `split_by`",
        "notes.docx": "its ending is of no format that is read",
        "no_column.parquet": "no column 'src'; it has text, first at no_column.parquet#0; correct",
    }
    assert len(found.not_read) == len(reasons)
    for name, reason in reasons.items():
        assert reason in said(found, name)
    assert [one.what for one in found.not_read if one.state == "ignored"] == [
        str(parts / "notes.docx")
    ]
    good, _ = split(found.sources["two"].read())
    assert [record.origin for record in good] == ["2.PARQUET#0"]


def test_row_groups_behind_a_damaged_one_name_sources_too(tmp_path):
    bombs.lying_page(tmp_path / "a.parquet")
    found = listed(tmp_path / "a.parquet", "text")
    assert {source.name for source in found.sources.values()} == set(bombs.GOOD)
    assert "unreadable Parquet: rows 0 to 999: " in said(found, "a.parquet")


def test_one_file_of_another_format_is_told_that_it_has_no_sources(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "a", "src": "b"}\n')
    assert "only Parquet files name sources by `split_by`" in said(listed(path), "rows.jsonl")


def test_a_value_that_is_empty_or_no_text_is_told_what_it_is(tmp_path):
    path = write(tmp_path / "a.parquet", ["ok", ""])
    assert said(listed(path), "a.parquet, src ''").endswith("the name is empty; give it one")
    path = write(path, pa.array([b"ok", b"\xff\xfe"], pa.binary()).view(pa.string()))
    found = listed(path)
    assert list(found.sources) == ["ok"]
    assert "invalid UTF-8: byte 0 of 'src'" in said(found, "a.parquet")


def test_a_column_without_a_value_is_not_passed_over(tmp_path):
    path = write(tmp_path / "a.parquet", [None, None], pa.string())
    assert "column 'src' has no value, so that it names no source; fill it" in (
        said(listed(path), "a.parquet")
    )
