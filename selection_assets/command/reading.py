"""What do commands share: the project's ledger, and how what they found is shown?"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from resources.ledger.ledger import Ledger

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def project_ledger() -> "Ledger":
    """Open the ledger of the project."""
    # DuckDB takes a moment to import, and the help needs none of it.
    from resources.ledger.ledger import open_ledger
    from resources.project import store_root

    return open_ledger(store_root())


def show(found: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print what was found: for programs, or as a text for people."""
    # JSON's escapes of everything but ASCII keep row text from driving the terminal.
    click.echo(json.dumps(found, indent=1, default=str) if as_json else text())
