"""What a source and a target say alike of what could not be used."""

from typing import Any

from selection.corpus.faults import Faults
from selection_assets.stage.step import Check

UNREAD = "No part of its files is missing, cut or damaged, unless that is allowed."

NO_ROWS = "it has no rows: bring its text, or remove it"

FEWER_ROWS = "bring the rows back, or let so many go by `max_shrinkage` in the pool's file"


def fault_facts(faults: Faults) -> dict[str, Any]:
    """How many rows are lost, why, and where first; for the UI."""
    return {
        "quarantined": faults.n_rows,
        "quarantine_reasons": {reason.kind: reason.count for reason in faults.reasons},
        "first_quarantined": [str(reason) for reason in faults.reasons],
    }


def unread_check(faults: Faults, *, allowed: bool, remedy: str) -> Check:
    """Fail if a part of a file could not be read, with its place and the rows that it held."""
    parts = [
        f"{part.origin}: {part.reason} ({_missing(part.missing)})" for part in faults.unread[:10]
    ]
    facts = {
        "unread_parts": faults.n_unread,
        "rows_known_to_be_missing": faults.n_missing,
        "first_unread": parts,
    }
    passed = allowed or not faults.n_unread
    return Check("complete", passed, facts, remedy=remedy)


def _missing(rows: int | None) -> str:
    return "nobody knows how many rows" if rows is None else f"{rows:,} rows"
