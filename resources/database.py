"""Short, locked-down connections to the one DuckDB file."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

SCHEMA = """
CREATE TABLE IF NOT EXISTS materialization (
    id VARCHAR PRIMARY KEY,           -- hash of the five fields that make it what it is
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    input_hash VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    data_version VARCHAR NOT NULL,    -- hash of the content
    run_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,            -- relative to the artifact root
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE IF NOT EXISTS input (
    materialization VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    PRIMARY KEY (materialization, upstream)
);
CREATE TABLE IF NOT EXISTS current_version (
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    materialization VARCHAR NOT NULL,
    PRIMARY KEY (asset, partition)
);
CREATE TABLE IF NOT EXISTS spend (
    id VARCHAR PRIMARY KEY,
    campaign VARCHAR NOT NULL,        -- the study or pool that pays
    asset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    materialization VARCHAR,          -- unknown until settled
    state VARCHAR NOT NULL CHECK (state IN ('running', 'settled', 'lost')),
    device VARCHAR NOT NULL,
    accountant VARCHAR,
    flops DOUBLE,
    device_seconds DOUBLE,
    wall_seconds DOUBLE,
    usd DOUBLE,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS tombstone (
    row_id VARCHAR PRIMARY KEY,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    removed_at TIMESTAMPTZ NOT NULL
);
"""


class LedgerBusy(RuntimeError):
    """Another process kept the ledger longer than anybody should."""


class Database:
    """Opens the file for one transaction at a time.

    DuckDB admits one process: whoever holds the file keeps readers out too. So every connection
    is taken under a lock file, used for milliseconds and closed.

    Parameters
    ----------
    path : the DuckDB file; created with its schema, readable by its owner only.
    readable : the one folder tree whose Parquet files SQL may read.
    timeout : seconds to wait for the lock.
    patience : seconds to wait for a program that holds the file without the lock.
    """

    def __init__(
        self, path: Path, readable: Path, *, timeout: float = 60.0, patience: float = 30.0
    ) -> None:
        self.path = path
        self._readable = readable
        self._patience = patience
        self._lock = FileLock(f"{path}.lock", timeout=timeout, is_singleton=True)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection; commit when the block ends, roll back when it raises.

        Raises
        ------
        LedgerBusy
            When the lock, or DuckDB's own, is not to be had.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._lock:
                connection = self._connect()
                try:
                    connection.begin()
                    yield connection
                    connection.commit()
                finally:
                    connection.close()
        except Timeout as error:
            raise LedgerBusy(
                f"{self.path} stayed locked for {self._lock.timeout:.0f} s; find the process that"
                f" holds {self._lock.lock_file} (for example with `lsof`) and stop it"
            ) from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        new = not self.path.exists()
        connection = self._open()
        if new:
            self.path.chmod(0o600)
        connection.execute(SCHEMA)
        # A setting takes no bound parameter, so this one path is quoted as SQL wants it.
        folder = str(self._readable).replace("'", "''")
        connection.execute("SET allowed_directories = ['" + folder + "']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        """Open the file, waiting a while for a program that knows nothing of our lock file."""
        patient_until = time.monotonic() + self._patience
        while True:
            try:
                return duckdb.connect(
                    str(self.path),
                    config={
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                    },
                )
            except duckdb.IOException as error:
                if time.monotonic() > patient_until:
                    raise LedgerBusy(
                        f"{self.path} is open in another program, perhaps a DuckDB shell; close"
                        f" it: {error}"
                    ) from error
            time.sleep(random.uniform(0.05, 0.25))
