"""What does a lost or older ledger lack that still lies with the artifacts, and how does it return?

Each publication has left a record, the newest plan of each study its forecast, and the last
transaction a note (`resources.store.records`, `.forecasts`, `.note`). What the ledger at hand does
not say of them is added to it as entries: `recover` says who had it done and why, and each
`restore` brings back one spend with what it made. The tables then follow from the entries.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from resources.ledger import chain
from resources.ledger.audit import audit
from resources.ledger.database import Database
from resources.ledger.ledger import Ledger
from resources.ledger.loss import LedgerLost, refuse_absent, refuse_older
from resources.ledger.recovery import Addition, Recovery, find_additions
from resources.ledger.replay import Replay, replayed, write_changes
from resources.ledger.schema import create_tables


class CannotRecover(RuntimeError):
    """The ledger at hand is no ground to build on."""


def find_recovery(ledger: Ledger) -> Recovery:
    """Find what is lacking; changes nothing.

    Raises
    ------
    CannotRecover
        When the ledger at hand is not what its own entries say.
    """
    with ledger.store.nobody_publishing():
        lost, usable = _state(ledger.database)
        with _at_hand(ledger.database, usable) as connection:
            return _find(connection, ledger, lost)


def rebuild(ledger: Ledger, *, actor: str, reason: str) -> Recovery:
    """Add what is lacking, in one transaction; a file that cannot be read is kept aside.

    Parameters
    ----------
    actor, reason : who wants it and why; the entry `recover` keeps both.

    Raises
    ------
    CannotRecover
        When the ledger at hand is not what its own entries say.
    """
    if not actor.strip() or not reason.strip():
        raise ValueError("a ledger is rebuilt by somebody and for a reason: give both")
    database = ledger.database
    with ledger.store.nobody_publishing():
        lost, usable = _state(database)
        if not usable:
            _set_aside(database.path)
        with database.unchecked() as connection:
            found = _find(connection, ledger, lost)
            if found.lost or found.additions:
                who = {"actor": actor, "reason": reason}
                said = {"lost": found.lost, "refused": list(found.refused)}
                start = Addition("recover", "ledger", who | said)
                _append(connection, [start, *(one.by(actor, reason) for one in found.additions)])
        for record in found.records:
            record.end()
    return found


def _state(database: Database) -> tuple[str, bool]:
    """What is wrong with the ledger at hand, and whether it can be read at all."""
    try:
        refuse_absent(database.path, database.readable)
    except LedgerLost as error:
        return str(error), False
    try:
        with database.unchecked() as connection:
            list(audit(connection))  # reads all of it: a block may be damaged that few ask for
            try:
                refuse_older(connection, database.path, database.readable)
            except LedgerLost as error:
                return str(error), True
    except LedgerLost as error:
        return str(error), False
    return "", True


@contextmanager
def _at_hand(database: Database, usable: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the ledger at hand, or an empty one in its place."""
    if usable:
        with database.unchecked() as connection:
            yield connection
        return
    with duckdb.connect(":memory:") as connection:
        create_tables(connection, "the empty ledger")
        yield connection


def _find(connection: duckdb.DuckDBPyConnection, ledger: Ledger, lost: str) -> Recovery:
    wrong = list(audit(connection))
    if wrong:
        shown = "\n".join(wrong[:10])
        raise CannotRecover(
            f"the ledger {ledger.database.path} is not what its own entries say ({len(wrong)}"
            " things; `selection verify` names all of them), so that nothing can be built on it:"
            " put a backup in its place, or move it away and run `selection recover` again to"
            f" rebuild all of it\n{shown}"
        )
    return find_additions(replayed(chain.read(connection)).tables, ledger.store, lost)


def _append(connection: duckdb.DuckDBPyConnection, additions: list[Addition]) -> None:
    """Add entries, and make the tables say what they say."""
    before = replayed(chain.read(connection)).tables
    after = Replay(before)
    for one in additions:
        chain.append(connection, one.kind, one.subject, one.values)
        after.add(one.kind, one.subject, one.values)
    write_changes(connection, before, after.tables)


def _set_aside(path: Path) -> None:
    """Keep a file that cannot be read, with what DuckDB has left beside it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    for file in (path, path.with_name(f"{path.name}.wal")):
        if os.path.lexists(file):  # a link may lead to where nothing is
            file.rename(file.with_name(f"{file.name}.damaged-{now}"))
