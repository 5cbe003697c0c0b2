"""Short, locked-down connections to the one DuckDB file."""

import fcntl
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from filelock import FileLock, Timeout

from resources.ledger import chain
from resources.ledger.engines import Engine, interruptible, keep_engine, take_engine
from resources.ledger.loss import REMEDY, LedgerLost, damaged, refuse_absent, refuse_older
from resources.ledger.note import Note, take_note, write_note
from resources.ledger.schema import VERSION, OtherDatabase, create_tables
from resources.quiet_exit import leave_quietly

LOGGER = logging.getLogger(__name__)

leave_quietly()

POLL_SECONDS = 0.001
"""Between looks at the lock file, by the one who is next: a transaction takes some 20 ms."""

QUEUE_POLL_SECONDS = 0.004
"""Between looks at who is next, by all the others."""

QUEUE_SHARE = 0.5
"""Part of the waiting time after which nobody waits for their turn any more."""

SAY_AFTER_SECONDS = 5.0
"""Waiting for another program is said once it takes this long."""

ATTEMPTS = 5
"""How often a write is tried whose outcome is unknown."""

T = TypeVar("T")

_OPENED: set[Path] = set()
"""Ledgers that this process has had open: where one of them is no more, none is begun anew."""


class LedgerBusy(RuntimeError):
    """Another process kept the ledger longer than anybody should."""


class Database:
    """Opens the file for one transaction at a time.

    DuckDB admits one process: whoever holds the file keeps readers out too. So every connection
    is taken under a lock file, used for milliseconds and closed. Those who wait take turns: nobody
    gets the lock twice while another one waits to be next.

    Parameters
    ----------
    path : the DuckDB file; created with its schema, readable by its owner only.
    readable : the one folder tree whose Parquet files SQL may read.
    timeout : seconds to wait for the lock.
    patience : seconds to wait for a program that holds the file without the lock.
    """

    def __init__(
        self, path: Path, readable: Path, *, timeout: float = 60.0, patience: float = 60.0
    ) -> None:
        self.path = path
        self.readable = readable
        self._patience = patience
        self._lock = FileLock(
            f"{path}.lock", timeout=timeout, poll_interval=POLL_SECONDS, is_singleton=True
        )

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection; commit when the block ends, roll back when it raises.

        Raises
        ------
        LedgerBusy
            When the lock, or DuckDB's own, is not to be had.
        LedgerLost
            When the file is not the ledger of these artifacts as it last was.
        UnknownLedger
            When the file has the tables of another version.
        """
        with self._transaction(checked=True) as connection:
            yield connection

    @contextmanager
    def unchecked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Do the same with a ledger that may be older than its artifacts: to say so, or mend it."""
        with self._transaction(checked=False) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, checked: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        if self.path not in _OPENED:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not self.path.parent.is_dir():
            raise LedgerLost(self._gone())
        engine = take_engine(self.path, self.readable)
        with interruptible(), self._locked():
            connection, well = engine.connect(), False
            try:
                noted = self._open(engine, connection, checked=checked)
                connection.begin()
                yield connection
                connection.commit()
                # What somebody who was killed has committed and not noted is noted as well.
                note = take_note(connection, noted)
                if note is not None:
                    self._note(note)
                well = True
            except OtherDatabase as error:
                raise LedgerLost(f"the ledger {error}; {REMEDY}") from error
            except duckdb.Error as error:
                if (lost := damaged(self.path, error)) is not None:
                    raise lost from error
                raise
            finally:
                connection.close()
                # While the lock is held: the file is let go of either way.
                if well:
                    engine.detach()
                else:
                    engine.close()
        keep_engine(engine)

    def read(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Answer one question, whose values are bound, in a transaction of its own."""
        with self.transaction() as connection:
            return connection.execute(statement, values).fetchall()

    def write_once(
        self,
        write: Callable[[duckdb.DuckDBPyConnection], T],
        find: Callable[[duckdb.DuckDBPyConnection], T | None],
    ) -> T:
        """Write in one transaction, once, though nobody may learn that it was committed.

        DuckDB's error may come before a commit or after it. So every attempt first looks for what
        it is to write.

        Parameters
        ----------
        write : the statements; whatever it raises other than DuckDB's errors is passed on.
        find : looks up what `write` would have returned; None when it is not there.

        Raises
        ------
        duckdb.Error
            When it fails for the last time.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.transaction() as connection:
                    found = find(connection)
                    return write(connection) if found is None else found
            except (duckdb.ProgrammingError, duckdb.IntegrityError):
                raise  # the statement is wrong: it would be wrong again
            except duckdb.Error as error:
                if attempt == ATTEMPTS:
                    raise
                LOGGER.warning("%s: %s; looking it up, then trying again", self.path, error)
                time.sleep(random.uniform(0.02, 0.1) * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock file, taken in turn."""
        timeout = self._lock.timeout
        deadline = time.monotonic() + timeout
        try:
            with self._next_in_line(time.monotonic() + QUEUE_SHARE * timeout):
                self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        except Timeout as error:
            raise LedgerBusy(
                f"{self.path} stayed locked for {timeout:.0f} s; find the process that"
                f" holds {self._lock.lock_file} (for example with `lsof`) and stop it"
            ) from error
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _next_in_line(self, deadline: float) -> Iterator[None]:
        """Be the only one who waits for the lock, until the deadline.

        Without it, a busy process that has just let go of the lock is the first to ask for it
        again, and the others starve. It is a courtesy: the lock alone keeps the file safe.
        """
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            while not _flock(folder) and time.monotonic() < deadline:
                time.sleep(QUEUE_POLL_SECONDS)
            yield
        finally:
            # Closing alone would leave it to a child that was forked meanwhile.
            fcntl.flock(folder, fcntl.LOCK_UN)
            os.close(folder)

    def _note(self, note: Note) -> None:
        """Note what was committed; a note that fails is only older than it might be."""
        try:
            write_note(self.readable, note)
        except OSError as error:
            LOGGER.warning("%s: what it holds could not be noted: %s", self.path, error)

    def _open(
        self, engine: Engine, connection: duckdb.DuckDBPyConnection, *, checked: bool
    ) -> tuple[int, str] | None:
        """Open the file, allow no more than to read below one folder; returns the head noted."""
        if checked:
            refuse_absent(self.path, self.readable)
        new = not self.path.exists()
        if new and checked and self.path in _OPENED:
            raise LedgerLost(self._gone())
        self._attach(engine, connection)
        if new:
            self.path.chmod(0o600)
        if not _has_tables(connection):
            create_tables(connection, str(self.path))
        if checked:
            noted = refuse_older(connection, self.path, self.readable)
        else:
            noted = chain.head(connection)
        engine.confine()
        _OPENED.add(self.path)
        return noted

    def _gone(self) -> str:
        return (
            f"the ledger {self.path} has gone while this process ran, which stops here: if"
            f" {self.path.parent} was moved, put it back in the place of what lies there now"
        )

    def _attach(self, engine: Engine, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach the file, waiting a while for a program that knows nothing of our lock file."""
        started, said = time.monotonic(), False
        while True:
            try:
                engine.attach(connection)
                return
            except duckdb.IOException as error:
                if damaged(self.path, error) is not None:
                    raise  # no waiting makes it whole
                waited = time.monotonic() - started
                if waited > self._patience:
                    # DuckDB's own message names the process.
                    raise LedgerBusy(
                        f"{self.path} is open in another program, perhaps a DuckDB shell; close"
                        f" it, or open it there with `duckdb -readonly` only while nothing runs:"
                        f" {error}"
                    ) from error
                if waited > SAY_AFTER_SECONDS and not said:
                    LOGGER.warning("waiting up to %.0f s for %s", self._patience, error)
                    said = True
            time.sleep(random.uniform(0.02, 0.1))


def _has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has today's tables: a tenth of the time that naming them all takes."""
    try:
        found = connection.execute("SELECT version FROM schema_version").fetchone()
    except duckdb.CatalogException:
        return False
    return found == (VERSION,)


def _flock(descriptor: int) -> bool:
    """Take a lock if nobody has it; True as well on a file system that knows no such locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
