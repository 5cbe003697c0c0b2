"""Which sources does a Parquet file, or a folder of them, have by the values of a column?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selection.basics.file_names import printable_name
from selection.config.pool import ColumnNames
from selection.corpus.faults import BRING_WHOLE, FaultTally
from selection.corpus.folders import walk
from selection.corpus.limits import MAX_BYTES_PER_ROW, MAX_SPLIT_VALUES
from selection.corpus.not_read import CannotBeRead, NotRead
from selection.corpus.parquet_process import read_parquet_apart
from selection.corpus.readers import format_of, known_formats
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_rules import RowRules
from selection.corpus.streams import FileRefused, open_regular


@dataclass(frozen=True)
class SplitValues:
    """What a column's values are.

    Attributes
    ----------
    values : distinct, as text, sorted.
    not_read : files whose values could not be read, wholly or in part.
    """

    values: tuple[str, ...]
    not_read: tuple[NotRead, ...]


def split_values(path: Path, column: str) -> SplitValues:
    """Read the distinct values of one column, none of the others; a bad file stops no other.

    The files are those that `read_path` reads: no hidden ones, no links that leave the folder.

    Raises
    ------
    CannotBeRead
        When the folder cannot be looked through, when the column has more than `MAX_SPLIT_VALUES`
        values, or none at all.
    OSError
        When the folder cannot be listed.
    """
    folder = path.is_dir()
    root = (path if folder else path.parent).resolve()
    values: set[str] = set()
    not_read: list[NotRead] = []
    odd = 0  # values that can name no source
    for file in walk(path, markers=False) if folder else [path]:
        what, tally = printable_name(str(file)), FaultTally()
        try:
            for found in _values_of(file, root, column):
                if isinstance(found, Record):
                    values.add(found.text)
                else:
                    tally.add(found)
                    odd += not isinstance(found, UnreadPart)
                if len(values) + odd > MAX_SPLIT_VALUES:
                    raise CannotBeRead(
                        f"column {column!r} has more than {MAX_SPLIT_VALUES:,} values, and each"
                        " would be a source",
                        "name another column in `split_by`, or give the whole a `name`",
                    )
        except _NoValues as problem:
            not_read.append(problem.of(what))
            continue
        faults = tally.faults()
        if faults.reasons:
            remedy = faults.remedy(correct="correct `split_by`, or these values", whole=BRING_WHOLE)
            not_read.append(NotRead(what, faults.summary(), remedy))
    if not values and not not_read:
        raise CannotBeRead(
            f"column {column!r} has no value, so that it names no source",
            "fill it, or name another column in `split_by`",
        )
    return SplitValues(tuple(sorted(values)), tuple(not_read))


class _NoValues(CannotBeRead):
    """A file of which no value is read; the others are."""


def _values_of(file: Path, root: Path, column: str) -> Iterator[Record | BadRecord]:
    if file.is_symlink() and file.is_dir():
        raise _NoValues(
            "it is a link to a folder, which is not followed", "put the folder itself there"
        )
    known = format_of(file)
    if known is None:
        raise _NoValues(
            "its ending is of no format that is read",
            f"rename or convert it; read are {known_formats()}",
            "ignored",
        )
    if known[0] != ".parquet":
        # Of any other format all would have to be read, each time that somebody looks.
        raise _NoValues(
            "only Parquet files name sources by `split_by`; of its rows none is read whose value"
            " no Parquet file has",
            "convert it to Parquet, or put it elsewhere as a source of its own",
        )
    rules = RowRules(ColumnNames(text=column), {}, MAX_BYTES_PER_ROW)
    try:
        with open_regular(file, root) as opened:
            name = printable_name(file.name)
            yield from read_parquet_apart(opened, name, rules, distinct=True)
    except FileRefused as refusal:
        raise _NoValues(str(refusal), "put a whole file there, or take it away") from refusal
