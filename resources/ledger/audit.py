"""Do the ledger's entries hang together, and do its tables say what the entries say?"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from resources.ledger import chain

COLUMNS = (
    *("state", "campaign", "asset", "partition", "run_id", "device"),
    *("reserved_flops", "reserved_seconds", "planned_flops", "planned_seconds"),
    *("usd_per_device_hour", "accountant", "materialization"),
    *("host", "pid", "process_started", "continues"),
    *("flops", "resumed_flops", "device_seconds", "wall_seconds", "usd"),
)
"""Of `spend`, as far as its entries say them."""


def audit(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say what is wrong: in the chain, in the tables against the chain, in what was published.

    The entries are replayed from the first one. A change to a past entry breaks the chain, and a
    change to a table differs from the replay. Entries cut off at the end together with what they
    did to the tables leave no trace here: to find that, keep `head` elsewhere.
    """
    entries = chain.read(connection)
    yield from chain.broken_links(entries)
    replay = _Replay()
    for entry in entries:
        try:
            replay.add(entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"entry {entry.seq} ({entry.kind}) cannot be read: {error!r}"
    yield from _compare_spends(connection, replay.spends)
    caps = connection.execute("SELECT campaign, unit, amount, usd_per_device_hour FROM cap")
    found = {campaign: tuple(cap) for campaign, *cap in caps.fetchall()}
    for campaign in sorted(found.keys() | replay.caps.keys()):
        if found.get(campaign) != replay.caps.get(campaign):
            yield f"the cap of {campaign} in force is not that of its entries"
    for row in connection.execute(
        "SELECT id, asset, partition, input_hash, code_version, data_version FROM materialization"
    ).fetchall():
        if row[0] != materialization_id(*row[1:]):
            yield f"materialization {row[0]} of {row[1]} [{row[2]}] was changed"
    yield from _compare_inputs(connection, replay.inputs)
    for table in ("spend", "current_version"):
        for (lost,) in connection.execute(
            f"SELECT DISTINCT materialization FROM {table} WHERE materialization IS NOT NULL"
            " AND materialization NOT IN (SELECT id FROM materialization)"
        ).fetchall():
            yield f"{table} names materialization {lost}, which the ledger does not hold"


def materialization_id(
    asset: str, partition: str, input_hash: str, code_version: str, data_version: str
) -> str:
    """Id of a materialization: a hash of what makes it what it is."""
    parts = [asset, partition, input_hash, code_version, data_version]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass
class _Replay:
    """What the entries say the tables hold.

    Attributes
    ----------
    spends, caps : by spend, and by campaign.
    inputs : (materialization, what it was made from).
    """

    spends: dict[str, dict[str, Any]] = field(default_factory=dict)
    caps: dict[str, tuple[str, float, float | None]] = field(default_factory=dict)
    inputs: set[tuple[str, str]] = field(default_factory=set)

    def add(self, entry: chain.Entry) -> None:
        values = entry.values
        made = values.get("materialization")
        self.inputs |= {(made, upstream) for upstream in values.get("inputs", ()) if made}
        if entry.kind == "cap":
            cap = values["unit"], values["amount"], values["usd_per_device_hour"]
            self.caps[entry.subject] = cap
        elif entry.kind == "reserve":
            self.spends[entry.subject] = values | {"state": "running"}
        elif entry.subject in self.spends:
            spend = self.spends[entry.subject]
            if spend["state"] != "running":
                raise ValueError(f"the spend was {spend['state']} before")
            match entry.kind:
                case "extend" | "overrun":
                    spend["reserved_flops"] += values["flops"]
                    spend["reserved_seconds"] += values["seconds"]
                case "settle" | "lose":
                    spend |= values
                    spend["state"] = "settled" if entry.kind == "settle" else "lost"
                case _:
                    raise ValueError("no entry about a spend is of that kind")


def _compare_spends(
    connection: duckdb.DuckDBPyConnection, expected: dict[str, dict[str, Any]]
) -> Iterator[str]:
    rows = connection.execute(f"SELECT id, {', '.join(COLUMNS)} FROM spend").fetchall()
    found = {row[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in rows}
    for spend in sorted(found.keys() ^ expected.keys()):
        where = "no entry reserves it" if spend in found else "it is gone from the table"
        yield f"spend {spend}: {where}"
    for spend in sorted(found.keys() & expected.keys()):
        for name, ours in found[spend].items():
            theirs = expected[spend].get(name)
            if not _same(ours, theirs):
                yield f"spend {spend}: {name} is {ours!r}, its entries say {theirs!r}"
    shares = connection.execute("SELECT spend, campaign, share FROM share").fetchall()
    paid: dict[str, dict[str, float]] = {}
    for spend, campaign, share in shares:
        paid.setdefault(spend, {})[campaign] = share
    for spend in sorted(expected):
        if paid.get(spend) != expected[spend].get("shares"):
            yield f"spend {spend}: its payers are not those of its entries"


def _compare_inputs(
    connection: duckdb.DuckDBPyConnection, said: set[tuple[str, str]]
) -> Iterator[str]:
    """Compare what the tables say each materialization was made from."""
    found = set(connection.execute("SELECT materialization, upstream FROM input").fetchall())
    for made, upstream in sorted(found ^ said):
        where = "no entry says so" if (made, upstream) in found else "the table has lost it"
        yield f"materialization {made} was made from {upstream}: {where}"


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=0.0)
    return ours == theirs
