"""Do the ledger's entries hang together, and do its tables say what the entries say?"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from resources.ledger import chain

Spend = dict[str, Any]
CapInForce = tuple[str, float, float | None]

CLOSED = ("flops", "resumed_flops", "device_seconds", "wall_seconds", "usd")
CLOSED_NAMES = ("accountant", "materialization")
RESERVED = (
    *("reserved_flops", "reserved_seconds", "planned_flops", "planned_seconds"),
    "usd_per_device_hour",
)
OPENED = ("campaign", "asset", "partition", "run_id", "device")


def audit(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say what is wrong: in the chain, in the tables against the chain, in what was published.

    The entries are replayed from the first one. A change to a past entry breaks the chain, and a
    change to a table differs from the replay. Entries cut off at the end together with what they
    did to the tables leave no trace here: to find that, keep `head` elsewhere.
    """
    entries = chain.read(connection)
    yield from chain.broken_links(entries)
    replay = _Replay.of(entries)
    caps = replay.caps
    yield from replay.unreadable
    yield from _compare_spends(connection, replay.spends)
    found_caps = {
        row[0]: tuple(row[1:])
        for row in connection.execute(
            "SELECT campaign, unit, amount, usd_per_device_hour FROM cap"
        ).fetchall()
    }
    for campaign in sorted(found_caps.keys() | caps.keys()):
        if found_caps.get(campaign) != caps.get(campaign):
            yield f"the cap of {campaign} in force is not that of its entries"
    for row in connection.execute(
        "SELECT id, asset, partition, input_hash, code_version, data_version FROM materialization"
    ).fetchall():
        if row[0] != materialization_id(*row[1:]):
            yield f"materialization {row[0]} of {row[1]} [{row[2]}] was changed"
    yield from _compare_inputs(connection, replay.inputs)
    for table, column in (("spend", "materialization"), ("current_version", "materialization")):
        for (lost,) in connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN"
            " (SELECT id FROM materialization)"
        ).fetchall():
            yield f"{table} names materialization {lost}, which the ledger does not hold"


def holds(connection: duckdb.DuckDBPyConnection, digest: str) -> bool:
    """Whether an entry has this hash."""
    found = connection.execute("SELECT 1 FROM entry WHERE hash = ?", [digest]).fetchone()
    return found is not None


def head(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """How many entries there are, and the hash of the last."""
    row = connection.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, chain.START)


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
    unreadable : which entries say nothing that can be read.
    """

    spends: dict[str, Spend] = field(default_factory=dict)
    caps: dict[str, CapInForce] = field(default_factory=dict)
    inputs: set[tuple[str, str]] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, entries: list[chain.Entry]) -> "_Replay":
        replay = cls()
        for entry in entries:
            try:
                replay._add(entry)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                replay.unreadable.append(
                    f"entry {entry.seq} ({entry.kind}) cannot be read: {error!r}"
                )
        return replay

    def _add(self, entry: chain.Entry) -> None:
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
            if entry.kind in {"extend", "overrun"}:
                spend["reserved_flops"] += values["flops"]
                spend["reserved_seconds"] += values["seconds"]
            else:
                spend |= values
                spend["state"] = "settled" if entry.kind == "settle" else "lost"


def _compare_spends(
    connection: duckdb.DuckDBPyConnection, expected: dict[str, Spend]
) -> Iterator[str]:
    numbers = (*RESERVED, *CLOSED)
    names = ("state", *OPENED, *CLOSED_NAMES)
    rows = connection.execute(f"SELECT id, {', '.join([*names, *numbers])} FROM spend").fetchall()
    found = {row[0]: dict(zip([*names, *numbers], row[1:], strict=True)) for row in rows}
    for spend in sorted(found.keys() ^ expected.keys()):
        where = "no entry reserves it" if spend in found else "it is gone from the table"
        yield f"spend {spend}: {where}"
    for spend in sorted(found.keys() & expected.keys()):
        ours, theirs = found[spend], expected[spend]
        for name in names:
            if ours[name] != theirs.get(name):
                said = theirs.get(name)
                yield f"spend {spend}: {name} is {ours[name]!r}, its entries say {said!r}"
        for name in numbers:
            if not _same(ours[name], theirs.get(name)):
                yield f"spend {spend}: {name} is {ours[name]}, its entries say {theirs.get(name)}"
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


def _same(ours: float | None, theirs: object) -> bool:
    if ours is None or not isinstance(theirs, int | float):
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=0.0)
