"""How is Dagster opened in the browser, for whom the door lets in?"""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from selection.config.files import ConfigurationError
from selection_assets.door.addresses import TOKEN_VARIABLE, plan_door

CHECKOUT = Path(__file__).resolve().parents[2]


def open_ui(host: str, port: int, allowed: Sequence[str], *, read_only: bool) -> None:
    """Serve Dagster until somebody ends it.

    Parameters
    ----------
    host, port : where to listen.
    allowed : further addresses by which a browser opens it.
    read_only : whether nothing can be changed there.

    Raises
    ------
    ConfigurationError
        When the address is no good, or cannot be listened on.
    """
    door = plan_door(host, port, allowed)
    # Dagster takes seconds to import, and a wrong option is to be told at once.
    from selection_assets.command.run import use_dagster_home
    from selection_assets.door.server import DaemonEnded, DaemonThere, listen, serve

    try:
        listening = listen(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"{host} port {port} cannot be listened on: {error.strerror}; end what holds it, or"
            " give another --port"
        ) from error
    use_dagster_home()
    token = f"${TOKEN_VARIABLE}" if TOKEN_VARIABLE in os.environ else door.token
    secret = "" if token is None else f"/?token={token}"
    click.echo("\n".join(f"Dagster on {origin}{secret}" for origin in door.shown))
    try:
        serve(door, listening, workspace=CHECKOUT / "workspace.yaml", read_only=read_only)
    except KeyboardInterrupt:
        click.echo("stopped")
    except (DaemonEnded, DaemonThere) as error:
        raise click.ClickException(str(error)) from error
