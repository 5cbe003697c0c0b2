"""How is a row kept as it came, with the columns that selection does not look at?"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from selection.corpus.limits import MIB

ORIGINAL_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("line", pa.large_string(), nullable=False),
        pa.field("table", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("columns", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ]
)
BATCH_ROWS, BATCH_CHARS = 4096, 32 * MIB
"""How many rows are held before they are written."""

_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Original:
    """A row as it came.

    Attributes
    ----------
    line : str
        JSON on one line: of JSON lines the very text of the object, of other files all columns.
    table : str
        Of a Parquet file or data set its columns and types (`kept_columns.write_schema`); "" of
        others.
    columns : str
        JSON of field -> column, of fields whose column is called otherwise; "" where none is.
    """

    line: str
    table: str = ""
    columns: str = ""

    def renamed(self) -> Mapping[str, str]:
        """Return field -> column, of those that are called otherwise."""
        return json.loads(self.columns) if self.columns else {}


def one_line(text: str) -> str:
    """Return JSON on one line: a line break can only be space between its parts."""
    return _BREAK.sub(" ", text) if "\n" in text or "\r" in text else text


class OriginalsFile:
    """A Parquet file, `ORIGINAL_SCHEMA`, that grows in the order in which rows are read.

    Used with `with`. However many rows there are, it holds no more of them than a batch.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, ORIGINAL_SCHEMA, compression="zstd")
        self._batch: list[tuple[str, Original]] = []
        self._chars = 0

    def __enter__(self) -> OriginalsFile:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, and end the file."""
        self._write()
        self._writer.close()

    def keep(self, row_id: str, original: Original) -> None:
        """Keep a row."""
        self._batch.append((row_id, original))
        self._chars += len(original.line)
        if len(self._batch) == BATCH_ROWS or self._chars > BATCH_CHARS:
            self._write()

    def keep_lines(self, row_id: pa.Array, lines: pa.LargeStringArray, columns: str) -> None:
        """Keep rows of JSON lines.

        Parameters
        ----------
        columns : `Original.columns` of all of them.
        """
        self._write()  # what was read before
        n = len(row_id)
        said = {"row_id": row_id, "line": lines, "table": [""] * n, "columns": [columns] * n}
        arrays = [
            pa.array(said[field.name], pa.string()).dictionary_encode()
            if pa.types.is_dictionary(field.type)
            else said[field.name]
            for field in ORIGINAL_SCHEMA
        ]
        self._writer.write_table(pa.table(arrays, schema=ORIGINAL_SCHEMA))

    def _write(self) -> None:
        if self._batch:
            columns = {
                "row_id": [row_id for row_id, _ in self._batch],
                **{
                    name: [getattr(original, name) for _, original in self._batch]
                    for name in Original.__slots__
                },
            }
            table = pa.table(
                [_array(columns[field.name], field.type) for field in ORIGINAL_SCHEMA],
                schema=ORIGINAL_SCHEMA,
            )
            self._writer.write_table(table)
            self._batch, self._chars = [], 0


def read_originals(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, Original]]:
    """Give some rows of a file that `OriginalsFile` has written, in its order, with their ids.

    Of a row that was read again after it had gone to disk, the file has the copy too: it is left.
    """
    ids, given = pa.array(sorted(wanted), pa.string()), set[str]()
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS // 4):
        found = batch.filter(pc.is_in(batch["row_id"], value_set=ids))  # pyright: ignore
        columns = (found[name].to_pylist() for name in ORIGINAL_SCHEMA.names)
        for row_id, *said in zip(*columns, strict=True):
            if row_id not in given:
                given.add(row_id)
                yield row_id, Original(*said)


def write_columns(content: Mapping[str, str]) -> str:
    """Return `Original.columns` of field -> column."""
    renamed = {field: column for field, column in content.items() if field != column}
    return json.dumps(renamed, ensure_ascii=False) if renamed else ""


def _array(values: list[str], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, kind)
