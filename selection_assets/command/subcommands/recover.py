"""`selection recover`: rebuild what a lost or older ledger lacks, from what lies with its files."""

import click

from selection_assets.command.errors import Misused
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.option("--write", is_flag=True, help="Put it into the ledger; else it is only shown.")
@click.option("--reason", default="", help="Why; the ledger keeps it.")
@click.option("--actor", help="Who decided it; your login name unless given.")
@as_json
def recover(write: bool, reason: str, actor: str | None, as_json: bool) -> None:
    """Rebuild what a lost or older ledger lacks from what lies with the artifacts.

    Every file of every version is hashed before it comes back.
    """
    from selection_assets.command.recover import recover_ledger, recovery_text

    if write and not reason.strip():
        raise Misused('a ledger is rebuilt for a reason: give --reason "..."')
    if not write and (reason or actor):
        raise Misused("--reason and --actor are kept by what --write does: give it too")
    found = recover_ledger(project_ledger(), write=write, reason=reason, actor=actor)
    show(found, as_json, lambda: recovery_text(found))
