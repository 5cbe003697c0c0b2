"""What have crashes left in the store, and how is it removed?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from resources.debris import find_debris, remove_debris
from resources.ledger.ledger import Ledger
from resources.project import project_file
from resources.shared_debris import find_shared_debris, remove_shared_debris
from resources.store.shared_store import shared_store
from selection.config.files import ConfigurationError
from selection.reports.tables import text_table


def clear_away(
    ledger: Ledger,
    *,
    unfinished_days: float,
    delete: bool,
    paid_versions: int = 0,
    shared: bool = False,
) -> dict[str, Any]:
    """What nobody will read any more, and how many folders of it were removed.

    Parameters
    ----------
    paid_versions : how many versions that were paid for are to go with it.
    shared : whether the shared store is looked through too.

    Raises
    ------
    ConfigurationError
        When that is not how many there are, or the project shares nothing.
    """
    beside = shared_store()
    if shared and beside is None:
        raise ConfigurationError(f"this project shares nothing: {project_file()} has no `store:`")
    found = find_debris(ledger, unfinished_days=unfinished_days)
    try:
        removed = remove_debris(ledger, found, confirmed=paid_versions) if delete else 0
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    stay = 0 if paid_versions else sum(debris.paid for debris in found)
    found_there, removed_there = {}, (0, 0)
    if shared and beside is not None:
        found_there = find_shared_debris(ledger, beside)
        removed_there = remove_shared_debris(ledger, beside) if delete else removed_there
    return {
        "shared": [
            {"path": where, "age_seconds": (datetime.now(UTC) - put).total_seconds()}
            for where, put in sorted(found_there.items())
        ],
        "shared_removed": dict(zip(("versions", "blobs"), removed_there, strict=True)),
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
    return "\n\n".join([_local_text(cleared, delete=delete), *_shared_text(cleared, delete=delete)])


def _shared_text(cleared: dict[str, Any], *, delete: bool) -> Iterator[str]:
    """Lay out what of the shared store this ledger does not name."""
    found, removed = cleared["shared"], cleared["shared_removed"]
    if found:
        rows = [[one["path"], _age(one["age_seconds"])] for one in found]
        yield text_table(["in the shared store, and not named by this ledger", "age"], rows)
    if delete and any(removed.values()):
        versions, blobs = removed["versions"], removed["blobs"]
        yield f"{versions} versions and {blobs} blobs of the shared store removed"


def _local_text(cleared: dict[str, Any], *, delete: bool) -> str:
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
