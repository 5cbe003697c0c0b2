"""`selection ui`: Dagster in the browser, for whom the door lets in."""

import click


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
    from selection_assets.command.ui import open_ui

    open_ui(host, port, allowed, read_only=read_only)
