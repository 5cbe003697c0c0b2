"""`selection run`: bring a study up to date."""

import click

from selection_assets.command.errors import Broken


@click.command()
@click.argument("study")
@click.option("--dry-run", is_flag=True, help="Say what would be materialized first; run nothing.")
@click.option("--up-to", metavar="ASSET", help="Stop at this asset, such as selected_subset.")
def run(study: str, dry_run: bool, up_to: str | None) -> None:
    """Bring STUDY up to date, then print its verdicts and what they cost."""
    from selection_assets.command.run import dry_run_study, run_study
    from selection_assets.refresh.run_work import RefreshFailed

    try:
        (dry_run_study if dry_run else run_study)(study, up_to=up_to)
    except RefreshFailed as error:
        raise Broken(f"{error}\n`make ui` shows the whole log of the run") from error
