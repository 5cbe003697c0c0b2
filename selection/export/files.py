"""How do rows become a file: JSON lines, or Parquet with the types that the columns had?"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from selection.chats.trained import untrained_by
from selection.chats.turns import EMPTY
from selection.corpus.kept_columns import not_kept, read_schema, typed_table
from selection.export.formats import Container, ExportFormat
from selection.export.rows import CannotExport, ExportRow, write_lines

LOADERS = {".jsonl": "json", ".parquet": "parquet"}
"""What `datasets` calls the reader of a file, by its ending."""

RECEIPTS_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64()),
        pa.field("format", pa.string(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("n_tokens", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("margin", pa.float64(), nullable=False),
    ]
)
"""One a row, in the order of the exported rows."""


@dataclass(frozen=True)
class DataFile:
    """A file of rows in one format.

    Attributes
    ----------
    name : of the file.
    format : of its rows, by their columns.
    content : bytes.
    rows : how many.
    renamed : field -> column, of fields whose column is called otherwise; the same for all rows.
    columns : that some row has a value in.
    listed : columns that have a list in some row.
    untrained : names under which some messages say that they are not to be trained on.
    """

    name: str
    format: str
    content: bytes
    rows: int
    renamed: Mapping[str, str]
    columns: frozenset[str]
    listed: frozenset[str]
    untrained: frozenset[str]

    def column(self, field: str) -> str:
        """Return the column of a field of the format."""
        return self.renamed.get(field, field)

    def has(self, field: str) -> bool:
        """Whether some row has a value in a field of the format."""
        return self.column(field) in self.columns

    def is_listed(self, field: str) -> bool:
        """Whether some row has a list in a field of the format."""
        return self.column(field) in self.listed


def write_files(
    rows: Sequence[ExportRow], wanted: ExportFormat, container: Container, *, name: str = "train"
) -> list[DataFile]:
    """Write rows into a file; as they came, into one for each of their formats.

    Raises
    ------
    CannotExport
        When the format, or the container, cannot hold some rows.
    """
    if wanted != "original":
        return [_file(rows, wanted, wanted, container, name)]
    formats = list(dict.fromkeys(row.came_in for row in rows))
    parts = {of: [row for row in rows if row.came_in == of] for of in formats}
    several = len(parts) > 1
    return [
        _file(some, "original", of, container, f"{name}-{of}" if several else name)
        for of, some in parts.items()
    ]


def receipts(rows: Sequence[ExportRow]) -> pa.Table:
    """Say of each row where it came from and why it was chosen: `RECEIPTS_SCHEMA`."""
    told = []
    for row in rows:
        file, line = place_of(row.origin)
        own = {name: getattr(row, name) for name in RECEIPTS_SCHEMA.names if hasattr(row, name)}
        told.append(own | {"file": file, "line": line})
    return pa.Table.from_pylist(told, schema=RECEIPTS_SCHEMA)


def place_of(origin: str) -> tuple[str, int | None]:
    """Part an origin into its file, and its line (from 1) or row (from 0) where it has a number."""
    for mark in (":", "#"):
        file, found, number = origin.rpartition(mark)
        if found and number.isdecimal():
            return file, int(number)
    return origin, None


def lost_columns(rows: Sequence[ExportRow]) -> list[str]:
    """Columns of the rows' files that are not kept, such as images: name and type."""
    tables = {row.original.table for row in rows if row.original and row.original.table}
    return sorted({said for table in tables for said in not_kept(read_schema(table))})


def _file(
    rows: Sequence[ExportRow], wanted: ExportFormat, of: str, container: Container, name: str
) -> DataFile:
    lines = write_lines(rows, wanted)
    parsed = [json.loads(line) for line in lines]
    cells = [cell for row in parsed for cell in row.items() if cell[1] not in EMPTY]
    columns = frozenset(column for column, _ in cells)
    listed = frozenset(column for column, value in cells if isinstance(value, list))
    same = {row.original.columns if row.original else "" for row in rows}
    first = rows[0].original
    renamed = first.renamed() if wanted == "original" and first and len(same) == 1 else {}
    if container == "jsonl":
        content = "".join(f"{line}\n" for line in lines).encode()
    else:
        content = _parquet(rows, parsed, typed=wanted == "original")
    messages = (
        one for _, cell in cells if isinstance(cell, list) for one in cell if isinstance(one, dict)
    )
    return DataFile(
        f"{name}.{container}",
        of,
        content,
        len(rows),
        renamed,
        columns,
        listed,
        untrained=frozenset(filter(None, map(untrained_by, messages))),
    )


def _parquet(
    rows: Sequence[ExportRow], parsed: Sequence[Mapping[str, object]], *, typed: bool
) -> bytes:
    """Rows of one kind of table have the types that they had there; of others they are found."""
    kinds = [row.original.table if typed and row.original else "" for row in rows]
    order: list[int] = []
    tables = []
    written = io.BytesIO()
    try:
        for kind in dict.fromkeys(kinds):
            places = [place for place, other in enumerate(kinds) if other == kind]
            order += places
            some = [parsed[place] for place in places]
            tables.append(typed_table(some, read_schema(kind)) if kind else _found(some))
        table = pa.concat_tables(tables, promote_options="permissive")
        back = sorted(range(len(order)), key=order.__getitem__)
        pq.write_table(table.take(pa.array(back)), written, compression="zstd")
    except (pa.ArrowException, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise CannotExport(
            f"Parquet cannot hold these rows: a column has values of more than one type, or none"
            f" that a table knows ({said}); take `--container jsonl`"
        ) from error
    return written.getvalue()


def _found(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
