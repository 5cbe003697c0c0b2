"""`selection verify`: whether all that was published is still what it was."""

import click

from selection_assets.command.errors import Broken
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@click.option("--head", help="Hash of an entry noted earlier, which must still be in the ledger.")
@as_json
def verify(head: str | None, as_json: bool) -> None:
    """Hash every file of every current artifact, and check every entry of the ledger."""
    from selection_assets.command.verify import find_damage

    found = find_damage(project_ledger(), head)
    show(found.looked_at, as_json, lambda: found.summary)
    if found.problems:
        raise Broken("\n".join(found.problems))
