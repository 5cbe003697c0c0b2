"""`selection cap`: what a study may still spend, and the one way to let it spend more."""

import click

from selection_assets.command.errors import Misused
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.argument("study")
@click.option("--flops", type=float, help="Let the study spend so many FLOPs in all.")
@click.option("--device-hours", type=float, help="Let it hold the device for so many hours.")
@click.option("--usd", type=float, help="Let it cost so much money.")
@click.option("--reason", default="", help="Why; the ledger keeps it.")
@click.option("--actor", help="Who decided it; your login name unless given.")
@as_json
def cap(
    study: str,
    flops: float | None,
    device_hours: float | None,
    usd: float | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Print what STUDY may still spend, or change its cap, with a reason."""
    from selection.budget.amounts import Cap
    from selection_assets.command.asked import asked_study
    from selection_assets.command.cap import cap_text, change_cap, find_cap

    found = asked_study(study)
    opened = project_ledger()
    given = {"flops": flops, "device_hours": device_hours, "usd": usd}
    wanted = [(unit, limit) for unit, limit in given.items() if limit is not None]
    if len(wanted) > 1:
        raise Misused("give one of --flops, --device-hours and --usd")
    if wanted:
        try:
            changed = Cap(*wanted[0], found.usd_per_device_hour)  # pyright: ignore
        except ValueError as error:
            raise Misused(str(error)) from error
        change_cap(found, opened, changed, reason=reason, actor=actor)
    standing = find_cap(found, opened)
    show(standing, as_json, lambda: cap_text(standing))
