"""`selection pick`: from files of rows and a target to a file of the best rows, in one command."""

import re
from pathlib import Path

import click

from selection.export.formats import CONTAINERS, FORMATS, Container, ExportFormat
from selection_assets.command.errors import Misused

DEFAULT_SHARE = 0.05
UNITS = ("share", "rows", "tokens", "flops")


class Share(click.ParamType):
    """A share, such as 5% or 0.05."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it as a number in (0, 1]."""
        said = re.fullmatch(r"\s*([0-9.]+)\s*(%|pct)?\s*", str(value))
        try:
            share = float(said[1]) / (100 if said[2] else 1) if said else 0.0
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            self.fail(f"{value!r} is no share of the pool; write 5% or 0.05", param, ctx)
        return share


def _paths(paths: tuple[str, ...]) -> list[Path]:
    return [Path(path).expanduser() for path in paths]


@click.command()
@click.argument("pool", nargs=-1, required=True)
@click.option("--target", required=True, help="File or folder with rows like those to be learned.")
@click.option("--method", default="ot", show_default=True, help="How to select, or `auto`.")
@click.option("--share", type=Share(), help="Select this share of the rows; 5% unless said.")
@click.option("--rows", type=click.IntRange(min=1), help="Select so many rows.")
@click.option("--tokens", type=click.IntRange(min=1), help="Select so many tokens.")
@click.option("--flops", type=float, help="Select what so many FLOPs can pay for, with --model.")
@click.option("--model", help="Model to be trained, a folder or a hub's id: its tokens count.")
@click.option("--revision", help="The commit of a hub's model.")
@click.option("--name", help="Of the study that is made; from the files' names unless given.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the training file.")
@click.option("--format", "wanted", type=click.Choice(FORMATS), help="Of the rows; as they came.")
@click.option("--container", type=click.Choice(CONTAINERS), default="jsonl", show_default=True)
@click.option("--dry-run", is_flag=True, help="Read the files, say what it would take, and stop.")
def pick(
    pool: tuple[str, ...],
    target: str,
    method: str,
    share: float | None,
    rows: int | None,
    tokens: int | None,
    flops: float | None,
    model: str | None,
    revision: str | None,
    name: str | None,
    out: Path | None,
    wanted: ExportFormat | None,
    container: Container,
    dry_run: bool,
) -> None:
    """Pick the rows of POOL, files or folders, that are worth the most for a target.

    Writes a pool and a study into `studies/`, which can be edited and seen in the UI, says what
    selecting will take, selects, and writes the rows to --out as a file to train on. Nothing is
    trained. Again with another target, it reads and embeds nothing of the pool again.
    """
    budget = _budget({"share": share, "rows": rows, "tokens": tokens, "flops": flops})
    if flops is not None and model is None:
        raise Misused("--flops needs --model: what they can train depends on the model")
    if revision is not None and model is None:
        raise Misused("--revision is of a hub's --model: name that too")
    if out is None and not dry_run:
        raise Misused("say where the training file is to be written: --out FOLDER")
    if out is not None:
        from resources.project import store_root
        from selection_assets.command.exporting.out_folder import check_free
        from selection_assets.shared.read_paths import all_data_paths

        out = out.expanduser()
        asked = [(path, "the pool that is asked for") for path in _paths(pool)]
        check_free(out, store_root(), [*asked, *all_data_paths()])
    # Dagster takes seconds to import: only once the options are known to be right.
    from selection_assets.command.exporting.export_folder import Wanted
    from selection_assets.command.picking.steps import pick_rows, price
    from selection_assets.refresh.run_work import RefreshFailed

    try:
        written = price(
            _paths(pool),
            Path(target).expanduser(),
            method=method,
            budget=budget,
            model=model,
            revision=revision,
            name=name,
        )
        if not dry_run:
            assert out is not None
            pick_rows(written, out, Wanted(format=wanted, container=container))
    except RefreshFailed as error:
        raise click.ClickException(str(error)) from error


def _budget(given: dict[str, float | None]) -> dict[str, float]:
    said = {unit: much for unit, much in given.items() if much is not None}
    if len(said) > 1:
        raise Misused(f"give one of {', '.join(f'--{unit}' for unit in UNITS)}")
    [(unit, much)] = said.items() if said else [("share", DEFAULT_SHARE)]
    return {"rows_share" if unit == "share" else unit: much}
