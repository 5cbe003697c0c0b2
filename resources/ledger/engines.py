"""DuckDB without a file, kept from one transaction to the next.

To start it takes several times as long as a short transaction, and a step has many. What is kept
holds no file: the ledger is attached by each transaction, and detached before the lock is let go.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

LEDGER = "ledger"
"""Name of the attached file."""

KEPT = 4
"""Engines that wait for a transaction; a process has one ledger, and its tests have more."""


INTERRUPTED = "Query interrupted"
"""How DuckDB calls a signal that comes while it works, such as that of Ctrl-C."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let such a signal be what it is elsewhere: `KeyboardInterrupt`."""
    try:
        yield
    except RuntimeError as error:
        if INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


class Engine:
    """DuckDB in memory, which may attach one ledger and read one folder.

    Parameters
    ----------
    path : the ledger's file.
    readable : the one folder tree whose files SQL may read.
    """

    def __init__(self, path: Path, readable: Path) -> None:
        self.path = path
        self.readable = readable
        self._confined = False
        self._root = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "temp_directory": f"{path}.tmp",
            }
        )

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection for one transaction."""
        return self._root.cursor()

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Open the file, and let the connection use it.

        Raises
        ------
        duckdb.IOException
            When another program has the file, or it is damaged.
        """
        connection.execute(f"ATTACH {_literal(self.path)} AS {LEDGER}")
        connection.execute(f"USE {LEDGER}")

    def confine(self) -> None:
        """Allow no more from now on: DuckDB adds the files of what is attached by itself."""
        if self._confined:
            return
        self._root.execute(f"SET allowed_directories = [{_literal(self.readable)}]")
        self._root.execute("SET enable_external_access = false")
        self._root.execute("SET lock_configuration = true")
        self._confined = True

    def detach(self) -> None:
        """Write what is to be written, and let go of the file; its connections are closed."""
        self._root.execute(f"DETACH {LEDGER}")

    def close(self) -> None:
        """End it, with what it has attached."""
        self._root.close()


_kept: dict[tuple[Path, Path], Engine] = {}


def take_engine(path: Path, readable: Path) -> Engine:
    """The one that is kept for a ledger, or a new one; nobody else gets it meanwhile."""
    return _kept.pop((path, readable), None) or Engine(path, readable)


def keep_engine(engine: Engine) -> None:
    """Give back an engine which has nothing attached."""
    key = engine.path, engine.readable
    replaced = _kept.pop(key, None)
    _kept[key] = engine
    if replaced is not None:
        replaced.close()
    while len(_kept) > KEPT:
        _kept.pop(next(iter(_kept))).close()


def close_engines() -> None:
    """End all that are kept: a forked process would have them without their threads, and crash."""
    while _kept:
        _kept.popitem()[1].close()


os.register_at_fork(before=close_engines)


def _literal(path: Path) -> str:
    """Quote a path inside SQL, where it cannot be bound."""
    return "'" + str(path).replace("'", "''") + "'"
