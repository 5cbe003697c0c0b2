"""`selection export`: what an arm selected, or trained, for others to use."""

from pathlib import Path

import click

from selection.export.formats import CONTAINERS, FORMATS, Container, ExportFormat


@click.command()
@click.argument("study")
@click.argument("arm")
@click.option("--out", required=True, type=Path, help="The folder to write.")
@click.option("--format", "wanted", type=click.Choice(FORMATS), help="Of the rows; as they came.")
@click.option("--container", type=click.Choice(CONTAINERS), default="jsonl", show_default=True)
@click.option("--shuffle", type=int, metavar="SEED", help="Any order, in place of best first.")
@click.option("--draw", type=int, help="Of a method that draws, such as random; 0 unless given.")
@click.option("--with-rejected", is_flag=True, help="Also the rows not selected, with reasons.")
@click.option("--checkpoint", is_flag=True, help="The model that the arm trained, not its rows.")
@click.option("--seed", type=int, help="Of the checkpoint; the study's first unless given.")
def export(
    study: str,
    arm: str,
    out: Path,
    wanted: ExportFormat | None,
    container: Container,
    shuffle: int | None,
    draw: int | None,
    with_rejected: bool,
    checkpoint: bool,
    seed: int | None,
) -> None:
    """Write what ARM of STUDY selected, such as "ot x 5pct", for a trainer to read.

    The rows come with receipts, a page for the hub, a script for TRL and a configuration for
    axolotl. They are brought up to date first; a checkpoint is taken as it was trained last.
    """
    from selection.export.rows import CannotExport
    from selection_assets.command.exporting.export_folder import (
        Wanted,
        export_checkpoint,
        export_rows,
    )
    from selection_assets.refresh.run_work import RefreshFailed

    rows_only = wanted or shuffle is not None or draw is not None or with_rejected
    if checkpoint and (rows_only or container != "jsonl"):
        raise click.UsageError(
            "a checkpoint has no rows: give --checkpoint with --seed and --out alone"
        )
    if seed is not None and not checkpoint:
        raise click.UsageError(
            "--seed is a checkpoint's: a random order has --shuffle, a ranking --draw"
        )
    if checkpoint:
        click.echo(export_checkpoint(study, arm, out, seed))
        return
    options = Wanted(
        format=wanted,
        container=container,
        shuffle=shuffle,
        draw=draw or 0,
        with_rejected=with_rejected,
    )
    try:
        click.echo(export_rows(study, arm, out, options))
    except RefreshFailed as error:
        raise CannotExport(f"{error}\n`make ui` shows the whole log of the run") from error
