"""`selection gc`: show what crashes left in the store, and remove it when asked."""

import json
from typing import Any

import click

from resources.debris import Debris, find_debris, remove_debris
from resources.ledger.ledger import open_ledger
from resources.project import store_root
from resources.store.artifacts import ArtifactStore
from selection.reports.tables import text_table

UNFINISHED_DAYS = 14.0
COLUMNS = ("kind", "path", "bytes", "age", "reason")


@click.command()
@click.option("--delete", is_flag=True, help="Remove what is found; else it is only shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--unfinished-days",
    type=click.FloatRange(min=0),
    default=UNFINISHED_DAYS,
    show_default=True,
    help="Give up the work of a killed step that nobody touched for so long.",
)
def gc(delete: bool, as_json: bool, unfinished_days: float) -> None:
    """Find what crashes left in the store, and with --delete remove it.

    Nothing that the ledger names is touched, and a pipeline may run meanwhile.
    """
    ledger = open_ledger(store_root())
    store = ArtifactStore(ledger.artifacts)
    found = find_debris(ledger, store, unfinished_days=unfinished_days)
    removed = remove_debris(store, ledger, found) if delete else 0
    if as_json:
        click.echo(json.dumps(_record(found, removed), indent=1))
    else:
        click.echo(_text(found, removed, delete=delete))


def _record(found: list[Debris], removed: int) -> dict[str, Any]:
    return {
        "found": [
            {
                "kind": debris.kind,
                "path": debris.path,
                "bytes": debris.bytes,
                "age_seconds": debris.age.total_seconds(),
                "reason": debris.reason,
            }
            for debris in found
        ],
        "bytes": sum(debris.bytes for debris in found),
        "removed": removed,
    }


def _text(found: list[Debris], removed: int, *, delete: bool) -> str:
    if not found:
        return "nothing to remove: the ledger names every folder, and no work is left over"
    table = text_table(
        COLUMNS, [[d.kind, d.path, d.bytes, _age(d.age.total_seconds()), d.reason] for d in found]
    )
    total = f"{len(found)} folders, {sum(debris.bytes for debris in found):,} bytes"
    if not delete:
        return f"{table}\n\n{total}; `selection gc --delete` removes them"
    kept = len(found) - removed
    still = f"; {kept} are in use again and stay" if kept else ""
    return f"{table}\n\n{total}; {removed} removed{still}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"
