"""`selection plan`: what every arm would cost."""

import click

from selection_assets.command.errors import Broken
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.argument("study")
@as_json
def plan(study: str, as_json: bool) -> None:
    """Print what every arm of STUDY would cost and take, before anything expensive runs.

    Reads pool and target, and measures for some seconds how fast this device is.
    """
    from selection_assets.command.plan import find_plan, plan_text
    from selection_assets.command.run import plan_study
    from selection_assets.refresh.run_work import RefreshFailed

    try:
        planned = plan_study(study, quietly=as_json)
    except RefreshFailed as error:
        raise Broken(str(error)) from error
    opened = project_ledger()
    found = find_plan(planned, opened)
    show(found, as_json, lambda: plan_text(planned, opened, found))
