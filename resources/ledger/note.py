"""What lies beside the artifacts to tell that the ledger is older than they are, or gone?

After each transaction that added entries, a note says how far the ledger had come, which caps were
in force and what had been spent under them. It is written after the commit and under the ledger's
lock: it may be one transaction behind the ledger, never ahead of it.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb

from resources.ledger.chain import LAST
from resources.store.sealed import BrokenSeal, read_sealed, write_sealed
from selection.budget.amounts import Amount

NOTE = ".ledger.json"
"""In the artifacts' folder."""

LATEST = f"""
    SELECT seq, hash, made_at, (SELECT count(*) FROM materialization) FROM entry WHERE {LAST}
"""

SPENT = """
    SELECT share.campaign,
        coalesce(sum(share * flops) FILTER (state <> 'running'), 0),
        coalesce(sum(share * device_seconds) FILTER (state <> 'running'), 0),
        coalesce(sum(share * reserved_flops) FILTER (state = 'running'), 0),
        coalesce(sum(share * reserved_seconds) FILTER (state = 'running'), 0)
    FROM share JOIN spend ON spend.id = share.spend GROUP BY share.campaign ORDER BY share.campaign
"""


@dataclass(frozen=True)
class Note:
    """How far a ledger had come.

    Attributes
    ----------
    entries, head : number of the last entry, and its hash.
    at : when that was made, ISO 8601.
    versions : materializations that it knew.
    caps : campaign to its row of `cap`.
    spent, reserved : campaign to FLOPs and device seconds, losses being spent.
    """

    entries: int
    head: str
    at: str
    versions: int
    caps: dict[str, dict[str, Any]]
    spent: dict[str, list[float]]
    reserved: dict[str, list[float]]

    def held(self, campaign: str) -> Amount:
        """What counted against a campaign's cap."""
        none = [0.0, 0.0]
        return Amount(*self.spent.get(campaign, none)) + Amount(*self.reserved.get(campaign, none))


def take_note(connection: duckdb.DuckDBPyConnection, noted: tuple[int, str] | None) -> Note | None:
    """What a note says of the ledger; None where it would say what it says, or nothing.

    Parameters
    ----------
    noted : number and hash of the entry that the note names now.
    """
    # Few statements: each one is a good part of a transaction's time.
    latest = connection.execute(LATEST).fetchone()
    if latest is None or latest[:2] == noted:
        return None
    entries, head, at, versions = latest
    answer = connection.execute("SELECT * FROM cap ORDER BY campaign")
    names = [column[0] for column in answer.description or []]
    caps = answer.fetchall()
    spent = connection.execute(SPENT).fetchall()
    sums = {campaign: amounts for campaign, *amounts in spent}
    return Note(
        entries,
        head,
        at,
        versions,
        {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in caps},
        {campaign: amounts[:2] for campaign, amounts in sums.items()},
        {campaign: amounts[2:] for campaign, amounts in sums.items()},
    )


def write_note(artifacts: Path, note: Note) -> None:
    """Put a note beside the artifacts, in place of the last one."""
    write_sealed(artifacts / NOTE, vars(note))


def read_note(artifacts: Path) -> Note | None:
    """Read the note; None where there is none.

    Raises
    ------
    BrokenSeal
        When it was changed.
    """
    file = artifacts / NOTE
    if not file.exists():
        return None
    values = read_sealed(file)
    if values.keys() != {field.name for field in fields(Note)}:
        raise BrokenSeal(f"{file}: says something else than a note of the ledger does")
    return Note(**values)
