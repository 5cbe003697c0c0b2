"""`selection lineage`: what a checkpoint was made from, up to the sources."""

import click

from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.argument("checkpoint")
@as_json
def lineage(checkpoint: str, as_json: bool) -> None:
    """Walk from CHECKPOINT up to the sources.

    CHECKPOINT is `quickstart/finetuned_checkpoint[ot x 5pct]`, or a checkpoint's folder.
    """
    from selection_assets.command.lineage import find_lineage, lineage_text

    found = find_lineage(project_ledger(), checkpoint)
    show(found, as_json, lambda: lineage_text(found))
