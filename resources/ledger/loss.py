"""Is this the ledger of these artifacts, as it last was?"""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from resources.ledger import chain
from resources.ledger.note import NOTE, read_note
from resources.store.records import PUBLISHED, list_records, was_paid
from resources.store.sealed import BrokenSeal
from resources.store.version_folders import version_folders

REMEDY = (
    "nothing is read or written until that is put right: put the newest backup of the ledger there,"
    " or rebuild what it lacks from what lies with the artifacts (`selection recover` shows what"
    " that brings back)"
)

MAGIC, MAGIC_AT = b"DUCK", 8
"""How a DuckDB file begins, behind a checksum."""

DAMAGE = (
    "Corrupt database file",
    "not a valid DuckDB database file",
    "Could not read enough bytes",
    "while replaying WAL file",
)
"""What DuckDB says of a file that no waiting makes whole."""


class LedgerLost(RuntimeError):
    """The ledger is gone, damaged, or older than what lies with its artifacts."""


def refuse_absent(path: Path, artifacts: Path) -> None:
    """Refuse to begin a new ledger where an old one must have been; one of 0 bytes is none.

    Raises
    ------
    LedgerLost
        Saying what lies there without it.
    """
    if path.is_dir():
        raise LedgerLost(f"the ledger {path} is a folder; {REMEDY}")
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            if not file.read(MAGIC_AT + len(MAGIC)).endswith(MAGIC):
                raise LedgerLost(f"the ledger {path} is damaged (no DuckDB database); {REMEDY}")
        return
    traces = _traces(artifacts)
    if traces:
        state = "is empty" if path.exists() else "is not there"
        raise LedgerLost(f"the ledger {path} {state}, but {traces}; {REMEDY}")
    path.unlink(missing_ok=True)


def refuse_older(
    connection: duckdb.DuckDBPyConnection, path: Path, artifacts: Path
) -> tuple[int, str] | None:
    """Refuse a ledger that lacks what was noted beside the artifacts.

    Returns
    -------
    tuple of int and str, or None
        The head that is noted; it may be older than the ledger's own. None without a note.

    Raises
    ------
    LedgerLost
        Saying what it lacks, and from when.
    """
    entries, head = chain.head(connection)
    try:
        note = read_note(artifacts)
    except BrokenSeal as error:
        raise LedgerLost(
            f"whether the ledger is the newest cannot be told: {error}; `selection recover`"
            " compares it with the records of the artifacts, and with --write notes it anew"
        ) from error
    if note is None:
        _refuse_unnoted(connection, path, artifacts, entries)
        return None
    noted = note.entries, note.head
    query = "SELECT hash FROM entry WHERE seq = ?"
    if noted != (entries, head) and (
        connection.execute(query, [note.entries]).fetchone() != (note.head,)
    ):
        which = (
            f"ends with entry {entries}" + _when(connection, entries)
            if entries < note.entries
            else f"has another entry {note.entries}"
        )
        raise LedgerLost(
            f"the ledger {path} {which}; beside the artifacts, entry {note.entries} of"
            f" {note.at[:19]} is noted (hash {note.head[:12]}...), with {note.versions} versions"
            f" and {_spent(note.spent)} spent: it is an older ledger, or another one; {REMEDY}"
        )
    return noted


def damaged(path: Path, error: Exception) -> LedgerLost | None:
    """What DuckDB's error means, when it is that the file is damaged."""
    said = str(error)
    if not any(sign in said for sign in DAMAGE):
        return None
    first = said.splitlines()[0]
    return LedgerLost(f"the ledger {path} is damaged ({first}); {REMEDY}")


def _refuse_unnoted(
    connection: duckdb.DuckDBPyConnection, path: Path, artifacts: Path, entries: int
) -> None:
    """Without a note, only the records of what was published tell how far the ledger had come."""
    if not entries and (traces := _traces(artifacts)):
        raise LedgerLost(f"the ledger {path} has no entry, but {traces}; {REMEDY}")
    recorded = {r.spend for file, r in list_records(artifacts) if file.suffix == PUBLISHED}
    if not recorded:
        return
    found = connection.execute("SELECT id FROM spend WHERE state = 'settled'").fetchall()
    missing = recorded - {spend for (spend,) in found}
    if missing:
        raise LedgerLost(
            f"the ledger {path} ends with entry {entries}{_when(connection, entries)} and lacks"
            f" {len(missing)} of {len(recorded)} publications that lie with the artifacts, whose"
            f" note ({NOTE}) is gone: it is an older ledger, or another one; {REMEDY}"
        )


def _traces(artifacts: Path) -> str:
    """What shows that there was a ledger; nothing where there was none."""
    try:
        note = read_note(artifacts)
    except BrokenSeal:
        note = None
    if note is not None:
        return (
            f"beside the artifacts its entry {note.entries} of {note.at[:19]} is noted, with"
            f" {note.versions} versions and {_spent(note.spent)} spent"
        )
    published = sum(1 for _ in _published(artifacts))
    return f"{artifacts} holds {published} published versions" if published else ""


def _published(artifacts: Path) -> Iterator[Path]:
    for folder in version_folders(artifacts):
        if was_paid(artifacts, folder.relative_to(artifacts).as_posix()):
            yield folder


def _spent(spent: dict[str, list[float]]) -> str:
    parts = [f"{flops:.3g} FLOPs of {campaign}" for campaign, (flops, _) in sorted(spent.items())]
    return ", ".join(parts) or "nothing"


def _when(connection: duckdb.DuckDBPyConnection, seq: int) -> str:
    found = connection.execute("SELECT made_at FROM entry WHERE seq = ?", [seq]).fetchone()
    return f" of {found[0][:19]}" if found else ""
