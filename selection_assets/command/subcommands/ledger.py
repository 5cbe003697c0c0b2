"""`selection ledger`: what has been spent, on what and by whom."""

import click

from selection_assets.command.errors import Broken
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.option("--study", help="Only what this study, or pool, paid for.")
@as_json
def ledger(study: str | None, as_json: bool) -> None:
    """Print what every asset and partition cost."""
    from resources.ledger.lineage import spending, totals
    from selection_assets.command.spent import spending_text

    opened = project_ledger()
    spent = totals(opened)
    campaigns = sorted({total["campaign"] for total in spent})
    if study is not None and study not in campaigns:
        known = ", ".join(campaigns) or "nobody so far"
        raise Broken(f"{study!r} has paid for nothing; these have: {known}")
    found = spending(opened, study)
    of_study = [total for total in spent if study in (None, total["campaign"])]
    show(found, as_json, lambda: spending_text(opened, found, of_study, study))
