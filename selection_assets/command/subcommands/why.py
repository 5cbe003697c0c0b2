"""`selection why`: what every arm made of one row."""

import click

from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.argument("row_id")
@click.option("--study", help="Only the arms of this study.")
@as_json
def why(row_id: str, study: str | None, as_json: bool) -> None:
    """Print which arms chose the row ROW_ID (or a unique beginning of it), and why."""
    from selection_assets.command.why import find_why, why_text

    found = find_why(project_ledger(), row_id, study)
    show(found, as_json, lambda: why_text(found))
