"""A published version as the ledger holds it: its row, what it was made from, and its record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from resources.ledger.rows import insert
from resources.store.records import PUBLISHED, list_records, record_of
from resources.store.sealed import BrokenSeal, read_sealed
from resources.store.version_folders import version_place


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


def write_publications(connection: duckdb.DuckDBPyConnection, made: Sequence[Publication]) -> None:
    """Write the rows of versions within the caller's transaction; what is there already stays."""
    rows = [one.values["made"] for one in made]
    insert(
        connection,
        "materialization",
        list(rows[0]),
        [list(row.values()) for row in rows],
        "ON CONFLICT DO NOTHING",
    )
    inputs = [(one.id, upstream) for one in made for upstream in one.inputs]
    insert(connection, "input", ("materialization", "upstream"), inputs, "ON CONFLICT DO NOTHING")
    insert(
        connection,
        "current_version",
        ("asset", "partition", "materialization"),
        [(one.asset, one.partition, one.id) for one in made if one.current],
        "ON CONFLICT DO UPDATE SET materialization = excluded.materialization",
    )


def version_path(made: Mapping[str, Any]) -> str:
    """Folder of a version, below the artifacts' own: what it is says where it lies."""
    return version_place(made["asset"], made["partition"], made["data_version"])


def record_values(
    connection: duckdb.DuckDBPyConnection, spends: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What the tables say of publications: enough to say it again in another ledger.

    Returns
    -------
    dict
        By spend: `spend` and `made` are the rows without signs of life and without who held the
        spend, `shares` campaign to share, `inputs` ids; times are ISO 8601.
    """
    paid = _rows(
        connection,
        "SELECT * EXCLUDE (begun_flops, begun_seconds, lease_until, host, pid, process_started)"
        " FROM spend WHERE id IN (SELECT unnest(?))",
        spends,
    )
    versions = sorted({row["materialization"] for row in paid.values()})
    made = _rows(
        connection,
        "SELECT * EXCLUDE path FROM materialization WHERE id IN (SELECT unnest(?))",
        versions,
    )
    shares: dict[str, dict[str, float]] = {spend: {} for spend in spends}
    for spend, campaign, share in connection.execute(
        "SELECT spend, campaign, share FROM share WHERE spend IN (SELECT unnest(?))", [spends]
    ).fetchall():
        shares[spend][campaign] = share
    inputs: dict[str, list[str]] = {version: [] for version in versions}
    for version, upstream in connection.execute(
        "SELECT materialization, upstream FROM input WHERE materialization IN (SELECT unnest(?))"
        " ORDER BY upstream",
        [versions],
    ).fetchall():
        inputs[version].append(upstream)
    return {
        spend: {
            "spend": row,
            "shares": shares[spend],
            "made": made[row["materialization"]],
            "inputs": inputs[row["materialization"]],
        }
        for spend, row in paid.items()
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
    values = record_values(connection, [spend for spend, _ in published])
    for spend, path in published:
        file = record_of(artifacts, path, spend).file
        try:
            said = read_sealed(file)
        except (BrokenSeal, FileNotFoundError) as error:
            yield f"the record of {path} is not whole: {error}"
            continue
        holds = values[spend]
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


def _rows(
    connection: duckdb.DuckDBPyConnection, statement: str, ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    answer = connection.execute(statement, [ids])
    names = [column[0] for column in answer.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    return {row["id"]: {name: _said(value) for name, value in row.items()} for row in rows}


def _said(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
