"""`selection gc`: show what crashes left in the store, and remove it when asked."""

import click

from selection_assets.command.errors import Misused
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.option("--delete", is_flag=True, help="Remove what is found; else it is only shown.")
@click.option(
    "--unfinished-days",
    type=click.FloatRange(min=0),
    default=14.0,
    show_default=True,
    help="Give up the work of a killed step that nobody touched for so long.",
)
@click.option(
    "--paid-versions",
    type=click.IntRange(min=1),
    help="Remove the paid versions too that the ledger does not name: exactly so many.",
)
@click.option(
    "--shared",
    is_flag=True,
    help="Look through the shared store too, which no other project may share.",
)
@as_json
def gc(
    delete: bool, unfinished_days: float, paid_versions: int | None, shared: bool, as_json: bool
) -> None:
    """Find what crashes left in the store, and with --delete remove it.

    Nothing that the ledger names is touched, and a pipeline may run meanwhile. A version that was
    paid for stays even if the ledger does not name it, unless --paid-versions says how many go.
    """
    from selection_assets.command.gc import clear_away, gc_text

    if paid_versions is not None and not delete:
        raise Misused("--paid-versions confirms what --delete removes: give both")
    cleared = clear_away(
        project_ledger(),
        unfinished_days=unfinished_days,
        delete=delete,
        paid_versions=paid_versions or 0,
        shared=shared,
    )
    show(cleared, as_json, lambda: gc_text(cleared, delete=delete))
