"""`selection ui`: Dagster in the browser, for whom the door lets in."""

import os
from pathlib import Path

import click

from selection.config.files import ConfigurationError

CHECKOUT = Path(__file__).resolve().parents[2]

# Dagster takes seconds to import, and a wrong option is to be told at once.


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="ADDRESS",
    help="Further address by which a browser opens it, such as https://selection.example; everybody"
    " must then show a token, which is drawn unless $SELECTION_UI_TOKEN gives it.",
)
@click.option("--read-only", is_flag=True, help="Change nothing, and run no daemon.")
def ui(host: str, port: int, allowed: tuple[str, ...], read_only: bool) -> None:
    """Open Dagster at an address where nobody but its own pages can change anything."""
    from selection_assets.door.addresses import TOKEN_VARIABLE, plan_door

    door = plan_door(host, port, allowed)
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
