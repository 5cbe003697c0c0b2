"""The entries of the ledger: a hash chain in which nothing can be changed unnoticed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import duckdb

from resources.ledger.rows import insert

Kind = Literal[
    "cap",
    "reserve",
    "extend",
    "beat",
    "overrun",
    "settle",
    "lose",
    "refuse",
    "declare",
    "foresee",
    "recover",
    "restore",
]

New = tuple[Kind, str, Mapping[str, Any]]
"""An entry that is to be added: its kind, subject and values."""

LAST = "seq = (SELECT max(seq) FROM entry)"
"""Which entry is the last, found without sorting them: every transaction asks."""

ENTRY = ("seq", "made_at", "kind", "subject", "body", "previous", "hash")
"""Columns of an entry."""

START = "0" * 64
"""What stands for the hash of the entry before the first."""


@dataclass(frozen=True)
class Entry:
    """One entry as it lies in the file.

    Attributes
    ----------
    seq : from 1, without gaps.
    at : when, ISO 8601.
    subject : the spend or the campaign that it is about.
    body : canonical JSON.
    previous, hash : SHA-256 of the entry before, and of this one with it.
    """

    seq: int
    at: str
    kind: str
    subject: str
    body: str
    previous: str
    hash: str

    @property
    def values(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)


def append(
    connection: duckdb.DuckDBPyConnection, kind: Kind, subject: str, values: Mapping[str, Any]
) -> None:
    """Add an entry within the caller's transaction.

    Raises
    ------
    ValueError
        For a kind that no audit could replay.
    """
    append_all(connection, [(kind, subject, values)])


def append_all(connection: duckdb.DuckDBPyConnection, entries: Sequence[New]) -> None:
    """Add several, in their order."""
    unknown = {kind for kind, *_ in entries} - {*get_args(Kind)}
    if unknown:
        known = ", ".join(get_args(Kind))
        raise ValueError(f"no entry of the ledger is of kind {unknown.pop()!r}; known: {known}")
    seq, previous = head(connection)
    rows = []
    for kind, subject, values in entries:
        seq += 1
        at = datetime.now(UTC).isoformat()
        body = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
        digest = _hash(seq, at, kind, subject, body, previous)
        rows.append((seq, at, kind, subject, body, previous, digest))
        previous = digest
    insert(connection, "entry", ENTRY, rows)


def head(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """How many entries there are, and the hash of the last."""
    row = connection.execute(f"SELECT seq, hash FROM entry WHERE {LAST}").fetchone()
    return (row[0], row[1]) if row else (0, START)


def read(connection: duckdb.DuckDBPyConnection) -> list[Entry]:
    """All entries, in order."""
    found = connection.execute(f"SELECT {', '.join(ENTRY)} FROM entry ORDER BY seq").fetchall()
    return [Entry(*row) for row in found]


def broken_links(entries: list[Entry]) -> Iterator[str]:
    """Say where the chain does not hold: an entry changed, removed, inserted or moved."""
    previous = START
    for place, entry in enumerate(entries, start=1):
        if entry.seq != place:
            yield f"entry {place} is missing: the next one has number {entry.seq}"
            return
        if entry.previous != previous:
            yield f"entry {entry.seq} does not follow the entry before it"
        expected = _hash(entry.seq, entry.at, entry.kind, entry.subject, entry.body, entry.previous)
        if entry.hash != expected:
            yield f"entry {entry.seq} ({entry.kind} of {entry.subject}, {entry.at}) was changed"
        previous = entry.hash


def _hash(seq: int, at: str, kind: str, subject: str, body: str, previous: str) -> str:
    parts = json.dumps([seq, at, kind, subject, body, previous])
    return hashlib.sha256(parts.encode()).hexdigest()
