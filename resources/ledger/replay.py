"""What do the entries say that the tables hold? Every table follows from them."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import duckdb

from resources.ledger.chain import Entry
from resources.ledger.schema import VERSION

KEYS = {
    "materialization": ("id",),
    "input": ("materialization", "upstream"),
    "current_version": ("asset", "partition"),
    "spend": ("id",),
    "share": ("spend", "campaign"),
    "cap": ("campaign",),
    "refusal": ("asset", "partition"),
    "forecast": ("asset", "partition"),
    "tombstone": ("row_id",),
    "schema_version": ("version",),
}
"""Every table but that of the entries, and what tells its rows apart."""

LEASES = {"spend": ("lease_until",)}
"""Columns that no entry says: they tell dead steps apart, and say nothing of what is spent."""

BEGUN = ("begun_flops", "begun_seconds")
"""Columns of a spend that say what its step had begun at its last sign of life."""

HOLDER = ("host", "pid", "process_started")
"""Columns of a spend that say which process holds it; what was recovered is over, and has none."""

Row = dict[str, Any]
Tables = dict[str, dict[tuple, Row]]
"""Table to key to the other columns of the row, times as ISO 8601."""


class Replay:
    """The tables as they follow from the entries that were added, in order."""

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables: Tables = {table: {} for table in KEYS} if tables is None else deepcopy(tables)
        self.tables["schema_version"] = {(VERSION,): {}}

    def add(self, kind: str, subject: str, values: Mapping[str, Any]) -> None:
        """Add one entry.

        Raises
        ------
        ValueError, KeyError, TypeError, AttributeError
            For one that says nothing of a known kind.
        """
        match kind:
            case "cap":
                self._cap(subject, values, "unit", "amount", "usd_per_device_hour")
                if "declared" in values:
                    self._cap(subject, values, "declared_unit", "declared")
            case "declare":
                self._cap(subject, values, "declared_unit", "declared")
            case "reserve":
                self._open(subject, values)
            case "extend" | "overrun":
                spend = self._running(subject)
                spend["reserved_flops"] += float(values["flops"])
                spend["reserved_seconds"] += float(values["seconds"])
            case "beat":
                spend = self._running(subject)
                spend |= {name: float(values[name]) for name in BEGUN}
            case "settle" | "lose":
                self._close(subject, values, "settled" if kind == "settle" else "lost")
            case "refuse" if "continues" in values:
                pass  # a step that had started: nothing keeps it from starting again
            case "refuse":
                step = values["asset"], values["partition"]
                columns = ("campaign", "message", "refused_at")
                self.tables["refusal"][step] = {name: values[name] for name in columns}
            case "foresee":
                self._foresee(subject, values["steps"])
            case "restore":
                self._restore(subject, values)
            case "recover":
                pass  # says who had what follows it restored, and why
            case _:
                raise ValueError("no entry is of that kind")

    def _cap(self, campaign: str, values: Mapping[str, Any], *columns: str) -> None:
        cap = self.tables["cap"].setdefault((campaign,), {"declared_unit": None, "declared": None})
        cap |= {name: values[name] for name in columns}

    def _open(self, spend: str, values: Mapping[str, Any]) -> None:
        row = {name: value for name, value in values.items() if name != "shares"}
        row |= {name: float(row[name]) for name in ("reserved_flops", "reserved_seconds")}
        self.tables["spend"][spend,] = row | dict.fromkeys(BEGUN, 0.0) | {"state": "running"}
        self.tables["refusal"].pop((values["asset"], values["partition"]), None)
        self._share(spend, values["shares"])

    def _close(self, spend: str, values: Mapping[str, Any], state: str) -> None:
        row = {n: v for n, v in values.items() if n not in ("made", "inputs", "current")}
        paid = self._running(spend)
        paid |= row | {"state": state}
        if values["made"] is not None:
            self._make(values)

    def _running(self, spend: str) -> Row:
        row = self.tables["spend"][spend,]
        if row["state"] != "running":
            raise ValueError(f"the spend was {row['state']} before")
        return row

    def _restore(self, spend: str, values: Mapping[str, Any]) -> None:
        row = {name: value for name, value in values["spend"].items() if name != "id"}
        row |= dict.fromkeys(BEGUN, 0.0) | dict.fromkeys(HOLDER)
        self.tables["spend"][spend,] = row
        self._share(spend, values["shares"])
        if values["made"] is not None:
            self._make(values)

    def _share(self, spend: str, shares: Mapping[str, float]) -> None:
        for campaign, share in shares.items():
            self.tables["share"][spend, campaign] = {"share": share}

    def _make(self, values: Mapping[str, Any]) -> None:
        made = dict(values["made"])
        name = made.pop("id")
        self.tables["materialization"].setdefault((name,), made)
        for upstream in values["inputs"]:
            self.tables["input"][name, upstream] = {}
        if values["current"]:
            step = made["asset"], made["partition"]
            self.tables["current_version"][step] = {"materialization": name}

    def _foresee(self, campaign: str, steps: Iterable[list]) -> None:
        forecast = self.tables["forecast"]
        for step in [step for step, row in forecast.items() if row["campaign"] == campaign]:
            del forecast[step]
        for asset, partition, flops, seconds in steps:
            row = {"campaign": campaign, "flops": flops, "seconds": seconds}
            forecast[asset, partition] = row


def replayed(entries: Iterable[Entry]) -> Replay:
    """Replay entries that are known to be sound."""
    replay = Replay()
    for entry in entries:
        replay.add(entry.kind, entry.subject, entry.values)
    return replay


def write_changes(connection: duckdb.DuckDBPyConnection, before: Tables, after: Tables) -> None:
    """Make tables that are as `before` says be as `after` says, in the caller's transaction."""
    for table, keys in KEYS.items():
        condition = " AND ".join(f"{name} = ?" for name in keys)
        for key in before[table].keys() - after[table].keys():
            connection.execute(f"DELETE FROM {table} WHERE {condition}", list(key))
        for key, row in after[table].items():
            was = before[table].get(key)
            changed = {n: v for n, v in row.items() if was is None or was.get(n) != v}
            if was is None:
                columns = dict(zip(keys, key, strict=True)) | row
                marks = ", ".join("?" for _ in columns)
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                    list(columns.values()),
                )
            elif changed:
                assignments = ", ".join(f"{name} = ?" for name in changed)
                connection.execute(
                    f"UPDATE {table} SET {assignments} WHERE {condition}",
                    [*changed.values(), *key],
                )
