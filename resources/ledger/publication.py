"""A published version as the ledger holds it: its row, what it was made from, and its record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from resources.store.records import PUBLISHED, list_records, record_of
from resources.store.sealed import BrokenSeal, read_sealed


@dataclass(frozen=True)
class Publication:
    """What a settled step has made.

    Attributes
    ----------
    id ... finished_at : the row of `materialization`.
    inputs : ids of the materializations that were read.
    current : whether readers get it from now on.
    """

    id: str
    asset: str
    partition: str
    input_hash: str
    code_version: str
    data_version: str
    run_id: str
    rows: int
    bytes: int
    started_at: datetime
    finished_at: datetime
    inputs: tuple[str, ...]
    current: bool

    @property
    def path(self) -> str:
        """Its folder, below the artifacts' own."""
        return version_path(vars(self))

    @property
    def values(self) -> dict[str, Any]:
        """As an entry says it."""
        row = {field.name: getattr(self, field.name) for field in fields(self)}
        row |= {name: row[name].isoformat() for name in ("started_at", "finished_at")}
        inputs, current = list(row.pop("inputs")), row.pop("current")
        return {"made": row, "inputs": inputs, "current": current}

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the rows within the caller's transaction; one that is there already stays."""
        row = self.values["made"]
        connection.execute(
            f"INSERT INTO materialization ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})"
            " ON CONFLICT DO NOTHING",
            list(row.values()),
        )
        for upstream in self.inputs:
            connection.execute(
                "INSERT INTO input VALUES (?, ?) ON CONFLICT DO NOTHING", [self.id, upstream]
            )
        if self.current:
            connection.execute(
                "INSERT INTO current_version VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET materialization = excluded.materialization",
                [self.asset, self.partition, self.id],
            )


def version_path(made: Mapping[str, Any]) -> str:
    """Folder of a version, below the artifacts' own: what it is says where it lies."""
    return f"{made['asset']}/{made['partition']}/{made['data_version']}"


def record_values(connection: duckdb.DuckDBPyConnection, spend: str) -> dict[str, Any]:
    """What the tables say of a publication: enough to say it again in another ledger.

    Returns
    -------
    dict
        `spend` and `made` are the rows without signs of life and without who held the spend,
        `shares` campaign to share,
        `inputs` ids; times are ISO 8601.
    """
    paid = _row(
        connection,
        "SELECT * EXCLUDE (begun_flops, begun_seconds, lease_until, host, pid, process_started)"
        " FROM spend WHERE id = ?",
        spend,
    )
    made = paid["materialization"]
    shares = connection.execute(
        "SELECT campaign, share FROM share WHERE spend = ?", [spend]
    ).fetchall()
    inputs = connection.execute(
        "SELECT upstream FROM input WHERE materialization = ? ORDER BY upstream", [made]
    ).fetchall()
    return {
        "spend": paid,
        "shares": dict(shares),
        "made": _row(connection, "SELECT * EXCLUDE path FROM materialization WHERE id = ?", made),
        "inputs": [upstream for (upstream,) in inputs],
    }


def differing_records(connection: duckdb.DuckDBPyConnection, artifacts: Path) -> Iterator[str]:
    """Say which records could not rebuild the ledger as it is: gone, changed, or of something else.

    Parameters
    ----------
    artifacts : the folder in which they lie.
    """
    published = connection.execute(
        "SELECT s.id, m.path FROM spend s JOIN materialization m ON m.id = s.materialization"
        " WHERE s.state = 'settled' ORDER BY m.path, s.id"
    ).fetchall()
    for spend, path in published:
        file = record_of(artifacts, path, spend).file
        try:
            said = read_sealed(file)
        except (BrokenSeal, FileNotFoundError) as error:
            yield f"the record of {path} is not whole: {error}"
            continue
        holds = record_values(connection, spend)
        # A later publication of the same may have been made from more.
        if not set(said.pop("inputs", ())) <= set(holds.pop("inputs")):
            yield f"{file} names other inputs than the ledger"
        said.pop("current", None)
        if said != holds:
            yield f"{file} says something else than the ledger"
    yield from _unknown_records(connection, artifacts)


def _unknown_records(connection: duckdb.DuckDBPyConnection, artifacts: Path) -> Iterator[str]:
    """Say which whole records the ledger knows nothing of: with them it would be another one."""
    settled = connection.execute("SELECT id FROM spend WHERE state = 'settled'").fetchall()
    known = {spend for (spend,) in settled}
    for file, record in list_records(artifacts):
        if file.suffix != PUBLISHED or record.spend in known:
            continue
        try:
            said = read_sealed(file)
        except BrokenSeal:
            continue  # nobody takes it for a record
        if said.get("spend", {}).get("id") == record.spend:
            yield f"{file} is the record of a publication that the ledger does not have"


def _row(connection: duckdb.DuckDBPyConnection, statement: str, key: str) -> dict[str, Any]:
    answer = connection.execute(statement, [key])
    names = [column[0] for column in answer.description or []]
    [row] = answer.fetchall()
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in zip(names, row, strict=True)
    }
