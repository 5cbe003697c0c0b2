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
@click.option("--shared", is_flag=True, help="Look through the shared store instead.")
@click.option(
    "--shared-versions",
    type=click.IntRange(min=0),
    help="Remove so many versions of the shared store, and the blobs that no version names.",
)
@as_json
def gc(
    delete: bool,
    unfinished_days: float,
    paid_versions: int | None,
    shared: bool,
    shared_versions: int | None,
    as_json: bool,
) -> None:
    """Find what crashes left in the store, and with --delete remove it.

    Nothing that the ledger names is touched, and a pipeline may run meanwhile. A version that was
    paid for stays even if the ledger does not name it, unless --paid-versions says how many go.
    """
    from selection_assets.command.gc import clear_away, gc_text

    if paid_versions is not None and not delete:
        raise Misused("--paid-versions confirms what --delete removes: give both")
    if delete and shared != (shared_versions is not None):
        raise Misused("of the shared store: --shared --delete --shared-versions COUNT")
    if shared:
        from selection_assets.command.share import clear_shared, shared_text

        cleared = clear_shared(project_ledger(), shared_versions if delete else None)
        show(cleared, as_json, lambda: shared_text(cleared))
        return
    cleared = clear_away(
        project_ledger(),
        unfinished_days=unfinished_days,
        delete=delete,
        paid_versions=paid_versions or 0,
    )
    show(cleared, as_json, lambda: gc_text(cleared, delete=delete))
