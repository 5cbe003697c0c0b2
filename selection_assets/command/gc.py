"""What have crashes left in the store, and how is it removed?"""

from typing import Any

from resources.debris import find_debris, remove_debris
from resources.ledger.ledger import Ledger
from selection.config.files import ConfigurationError
from selection.reports.tables import text_table


def clear_away(
    ledger: Ledger, *, unfinished_days: float, delete: bool, paid_versions: int = 0
) -> dict[str, Any]:
    """What nobody will read any more, and how many folders of it were removed.

    Parameters
    ----------
    paid_versions : how many versions that were paid for are to go with it.

    Raises
    ------
    ConfigurationError
        When that is not how many there are.
    """
    found = find_debris(ledger, unfinished_days=unfinished_days)
    try:
        removed = remove_debris(ledger, found, confirmed=paid_versions) if delete else 0
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    stay = 0 if paid_versions else sum(debris.paid for debris in found)
    return {
        "found": [
            {
                "kind": debris.kind,
                "path": debris.path,
                "bytes": debris.bytes,
                "age_seconds": debris.age.total_seconds(),
                "reason": debris.reason,
                "paid_versions": debris.paid,
            }
            for debris in found
        ],
        "bytes": sum(debris.bytes for debris in found),
        "paid_versions": stay,
        "removed": removed,
    }


def gc_text(cleared: dict[str, Any], *, delete: bool) -> str:
    """Lay out what `clear_away` found and did."""
    found, removed = cleared["found"], cleared["removed"]
    if not found:
        return "nothing to remove: the ledger names every folder, and no work is left over"
    table = text_table(
        ["kind", "path", "bytes", "age", "reason"],
        [[d["kind"], d["path"], d["bytes"], _age(d["age_seconds"]), d["reason"]] for d in found],
    )
    total = f"{len(found)} folders, {cleared['bytes']:,} bytes"
    paid = cleared["paid_versions"]
    staying = sum(1 for d in found if d["paid_versions"]) if paid else 0
    if not delete:
        them = f"the {len(found) - staying} others" if paid else "them"
        if len(found) > staying:
            total = f"{total}; `selection gc --delete` removes {them}"
    else:
        kept = len(found) - removed - staying
        still = f"; {kept} are in use again and stay" if kept else ""
        total = f"{total}; {removed} removed{still}"
    if not paid:
        return f"{table}\n\n{total}"
    in_trash = any(d["kind"] == "trash" and d["paid_versions"] for d in found)
    moved = ", once what lies in .trash/ is moved back as it lies there" if in_trash else ""
    return (
        f"{table}\n\n{total}\npaid versions that stay: {paid}; `selection recover` puts those that"
        " have their record back into the ledger and names the others, which only a backup of it"
        f" knows{moved}; `selection gc --delete --paid-versions {paid}` removes them for good"
    )


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"
