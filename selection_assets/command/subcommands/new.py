"""`selection new`: the two files of a study, to edit before anything runs."""

from pathlib import Path

import click

from selection_assets.command.subcommands.pick import DEFAULT_SHARE


@click.command()
@click.argument("name")
@click.argument("pool", nargs=-1, required=True)
@click.option("--target", required=True, help="File or folder with rows like those to be learned.")
@click.option("--method", default="ot", show_default=True, help="How to select.")
@click.option("--model", help="Model to train and compare with: a folder, or a hub's id.")
@click.option("--revision", help="The commit of a hub's model.")
def new(
    name: str,
    pool: tuple[str, ...],
    target: str,
    method: str,
    model: str | None,
    revision: str | None,
) -> None:
    """Write the study NAME of POOL, files or folders, and a target; run nothing.

    Without --model it selects 5% of the rows; with one it compares methods by what the model learns
    from what they select.
    """
    from resources.project import project_root
    from selection_assets.authoring.asked import Asked, write_study
    from selection_assets.authoring.study_file import comparing, selecting
    from selection_assets.command.picking.steps import model_fields

    asked = Asked([Path(path).expanduser() for path in pool], Path(target).expanduser())
    asked.require_there()
    if model is None:
        budget = {"rows_share": DEFAULT_SHARE}
        fields = selecting(asked.target_fields(evaluated=False), method, budget, None)
    else:
        base = model_fields(model, revision)
        fields = comparing(asked.target_fields(evaluated=True), base)
    written = write_study(asked, fields, name)
    for file in written.files:
        click.echo(f"wrote {file.relative_to(project_root())}")
    if not written.files:
        click.echo(f"the study {written.study.name} says just this already")
    click.echo(
        f"edit them, then: selection plan {written.study.name}, selection run {written.study.name}"
    )
