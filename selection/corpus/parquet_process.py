"""A Parquet or Arrow file read in a process of its own, to which the operating system sets limits.

What such a file takes to decode is said by its metadata, its pages, its dictionaries and by
lengths inside compressed data, and any of these may lie. Nothing here believes them: the process
that decodes may have so much memory and so much time, and if it dies, that is an unread part.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from selection.basics.text import printable
from selection.config.pool import ColumnNames
from selection.corpus.arrow_rows import read_arrow
from selection.corpus.limits import (
    MIB,
    PARQUET_MEMORY,
    PARQUET_SECONDS,
    PARQUET_SECONDS_PER_MIB,
)
from selection.corpus.originals import Original
from selection.corpus.parquet_rows import file_digest, read_distinct, read_parquet
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_rules import RowRules

_KINDS = {kind.__name__: kind for kind in (Record, BadRecord, UnreadPart)}
_READERS = (read_parquet, read_distinct, read_arrow)
_END, _COLUMNS, _TABLE = "end", "columns", "table"
"""Of what is written that is no row: the last line; names and types of the rows that follow."""


def read_parquet_apart(
    file: BinaryIO, name: str, rules: RowRules, *, distinct: bool = False
) -> Iterator[Record | BadRecord]:
    """Give what `read_parquet` or `read_distinct` gives of an open file, without the risks.

    A process that is killed, or dies of what it reads, leaves an unread part from the row on at
    which it was. On systems other than Linux its memory has no limit.
    """
    reader = read_distinct if distinct else read_parquet
    return _read_apart(reader.__name__, "Parquet", file, name, rules)


def read_arrow_apart(file: BinaryIO, name: str, rules: RowRules) -> Iterator[Record | BadRecord]:
    """Give what `read_arrow` gives of an open file, as `read_parquet_apart` does."""
    return _read_apart(read_arrow.__name__, "Arrow", file, name, rules)


def _read_apart(
    reader: str, kind: str, file: BinaryIO, name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    asked = [
        reader,
        name,
        rules.columns.model_dump_json(exclude_none=True),
        json.dumps(dict(rules.where)),
        json.dumps(sorted(rules.may_be_absent)),
        json.dumps(rules.originals),
        str(rules.max_bytes_per_row),
    ]
    # -P: in a folder of data lies whatever its author has put there, `json.py` perhaps.
    command = [sys.executable, "-P", "-m", __name__, *asked]
    row, whole, table = 0, False, ""
    columns: tuple[str, ...] = ()
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=complaints, env=_environment()
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                sort, *values = json.loads(line)
                if sort == _END:
                    whole = True
                    break
                if sort == _COLUMNS:
                    columns = tuple(values)
                    continue
                if sort == _TABLE:
                    [table] = values
                    continue
                found = _found(sort, values, columns, table)
                row = int(found.origin.rpartition("#")[2]) + 1
                yield found
        finally:
            process.stdout.close()
            if not whole:
                process.kill()
        status = process.wait()
        complaints.seek(0)
        last = complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
    if not whole:
        reason = f"unreadable {kind}: from row {row} on: {_death(status, last)}"
        yield UnreadPart(f"{name}#{row}", reason, file_digest(file))


def _found(
    sort: str, values: list[Any], columns: tuple[str, ...], table: str
) -> Record | BadRecord:
    found = _KINDS[sort](*values)
    if not isinstance(found, Record):
        return found
    original = None
    if found.original is not None:
        line, _, renamed = cast("list[str]", found.original)
        original = Original(line, table, renamed)
    return replace(found, columns=columns, original=original)


def main() -> None:
    """Read the file that is the standard input; write what is found, a line of JSON each."""
    reader, name, columns, where, may_be_absent, originals, max_bytes = sys.argv[1:]
    _limit(os.fstat(0).st_size)
    rules = RowRules(
        ColumnNames.model_validate_json(columns),
        json.loads(where),
        int(max_bytes),
        frozenset(json.loads(may_be_absent)),
        json.loads(originals),
    )
    table = ""
    with open(0, "rb", closefd=False) as file:
        [read] = [known for known in _READERS if known.__name__ == reader]
        last: tuple[str, ...] = ()
        for found in read(file, name, rules):
            if isinstance(found, Record):
                if found.columns != last:  # once a file, not with each of its rows
                    last = found.columns
                    _write([_COLUMNS, *last])
                found = replace(found, columns=())
            if isinstance(found, Record) and found.original is not None:
                if table != found.original.table:  # the same of all rows: written once
                    table = found.original.table
                    _write([_TABLE, table])
                found = replace(found, original=replace(found.original, table=""))
            _write([type(found).__name__, *astuple(found)])
    _write([_END])
    sys.stdout.flush()


def _write(values: list[object]) -> None:
    line = json.dumps(values, ensure_ascii=False) + "\n"
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))


def _limit(size: int) -> None:
    _lower(resource.RLIMIT_CPU, PARQUET_SECONDS + PARQUET_SECONDS_PER_MIB * (size // MIB))
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, PARQUET_MEMORY)


def _lower(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


def _environment() -> dict[str, str]:
    """One thread and one heap, so that little address space is idle; this library by its place."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "PYTHONPATH": path,
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
    }


def _death(status: int, last: str) -> str:
    if status == -signal.SIGXCPU:
        return "it takes too long to decode"
    if status < 0:
        return f"decoding it died of {signal.Signals(-status).name}"
    return f"decoding it failed: {printable(last[:200]) or f'status {status}'}"


if __name__ == "__main__":
    main()
