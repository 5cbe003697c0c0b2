"""Rows of a file as an export has them, and an export of them, without a study."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from ingesting import ingested

from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus.limits import MAX_BYTES_PER_ROW
from selection.corpus.parquet_rows import read_parquet
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_rules import RowRules
from selection.export.card import Origins
from selection.export.rows import ExportRow

ORIGINS = Origins(
    study="tickets",
    method="ot",
    budget="5pct",
    draw=0,
    draws=1,
    target={"kind": "files", "path": "target.jsonl"},
    token_budget=1_000,
    row_budget=None,
    fates={"selected": 3, "below_cutoff": 4},
    versions={"tickets/selected_subset": "0123"},
)


def rows_of(
    path: Path, work: Path, columns: ColumnNames = DEFAULT_COLUMNS, *, apart: bool = False
) -> list[ExportRow]:
    """Rows of a file, in the order in which they stand there.

    Parameters
    ----------
    apart : whether Parquet is decoded in a process of its own, as it is for a study.
    """
    if path.suffix == ".parquet" and not apart:
        records = _in_this_process(path, columns)
    else:
        records = read_path(path, columns=columns, originals=True)
    corpus = ingested(records, source=path.stem)
    assert not corpus.faults.listed, corpus.faults
    table, kept = corpus.table.to_pylist(), corpus.as_they_came
    table.sort(key=lambda row: _place(row["origins"][0]))
    return [
        ExportRow(
            row_id=row["row_id"],
            source=row["source"],
            origin=row["origins"][0],
            licence=row["licence"],
            format=row["format"],
            text=row["text"],
            turns=row["turns"],
            original=kept.get(row["row_id"]),
            n_tokens=len(row["text"].split()),
            score=1.0 - rank / 10,
            rank=rank,
            margin=0.5 - rank / 10,
        )
        for rank, row in enumerate(table)
    ]


def write_export(folder: Path, files: dict[str, bytes | str | pa.Table]) -> Path:
    """Write the files of an export, tables as Parquet."""
    from resources.store.contents import write_content

    folder.mkdir()
    for name, content in files.items():
        write_content(folder / name, content)
    return folder


def _in_this_process(path: Path, columns: ColumnNames) -> Iterator[Record | BadRecord]:
    with path.open("rb") as file:
        yield from read_parquet(
            file, path.name, RowRules(columns, {}, MAX_BYTES_PER_ROW, originals=True)
        )


def _place(origin: str) -> int:
    return int(origin.replace("#", ":").rpartition(":")[2])
