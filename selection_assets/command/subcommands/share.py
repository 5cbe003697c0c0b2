"""`selection share`: put what was published before into the shared store."""

import click

from selection_assets.command.errors import Broken
from selection_assets.command.reading import as_json, project_ledger, show


@click.command()
@as_json
def share(as_json: bool) -> None:
    """Put every version that the ledger names into the project's shared store.

    What is published from then on is put there by itself, so that this is needed once, after
    `store:` was set in project.yaml.
    """
    from selection_assets.command.share import share_all

    done = share_all(project_ledger())
    if done["problems"]:
        raise Broken("\n".join(done["problems"]))
    show(
        done,
        as_json,
        lambda: (
            f"{done['address']}: {done['versions']:,} versions, of which {done['put']:,} were put"
            " there now"
        ),
    )
