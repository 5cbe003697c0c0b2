"""What `selection pick` does: write a study, price it, select, export, and say what came out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from resources.project import project_root
from resources.workspace import Workspace
from selection.config.files import ConfigurationError
from selection_assets.authoring.asked import Asked, Written, known_pool, write_study
from selection_assets.authoring.names import name_after
from selection_assets.authoring.roots import in_project
from selection_assets.authoring.study_file import Fields, selecting
from selection_assets.command.exporting.export_folder import Wanted, write_rows
from selection_assets.command.picking.advice import advised_method
from selection_assets.command.plan import find_plan, price_text
from selection_assets.command.run import TRAINING_FILE, plan_study, run_study
from selection_assets.refresh.refresh import SourcesFailed
from selection_assets.stage.keys import arm_key

LONGEST_SEQUENCE = 2048
"""Tokens; what fine-tuners take where the model could take more."""


def price(
    pool: Sequence[Path],
    target: Path,
    *,
    method: str,
    budget: Mapping[str, float],
    model: str | None,
    revision: str | None,
    name: str | None,
) -> Written:
    """Write the study, read pool and target, and print what selecting will take.

    Raises
    ------
    ConfigurationError
        When something that is asked for is not there, or is no setting of a study, and when the
        budget has no room for a row.
    """
    asked = Asked(pool, target)
    asked.require_there()
    ledger = Workspace().ledger
    if method == "auto":
        advice = advised_method(known_pool(asked), ledger)
        method = advice.method
        click.echo(f"method: {method}, since {advice.why}")
    base = None if model is None else model_fields(model, revision)
    fields = selecting(asked.target_fields(evaluated=False), method, budget, base)
    written = write_study(asked, fields, name)
    for file in written.files:
        click.echo(f"wrote {file.relative_to(project_root())}")
    study = plan_study(written.study.name, quietly=False)
    arms = find_plan(study, ledger)
    click.echo(price_text(study, ledger, arms))
    small = [arm["budget"] for arm in arms if arm["feasible"] and not arm["rows"]]
    if small:
        raise ConfigurationError(
            f"a budget of {small[0]} has no room for a middling row: give more"
        )
    return written


def pick_rows(written: Written, out: Path, wanted: Wanted) -> None:
    """Select, say what was picked and why, and write the folder to train on."""
    study, failed = written.study, None
    [method] = [name for name in study.methods if name != "random"] or ["random"]
    budget = study.budgets[0].key
    try:
        arm = arm_key(method, budget)
        run_study(study.name, up_to=TRAINING_FILE, arm=arm, rehearsed=True)
    except SourcesFailed as error:
        failed = error  # the others may be worth training on
    click.echo(f"\n{write_rows(study, method, budget, out, wanted)}")
    if failed is not None:
        raise failed


def model_fields(model: str, revision: str | None) -> Fields:
    """The `base_model` of a study: a folder of this machine, or a hub's id at a revision."""
    folder = Path(model).expanduser()
    fields: dict[str, object] = {"kind": "pretrained", "name": name_after(folder.name)}
    fields["model"] = in_project(folder) if folder.is_dir() else model
    if (positions := _positions(folder)) is not None:
        fields["sequence_length"] = min(positions, LONGEST_SEQUENCE)
    return fields if revision is None else fields | {"revision": revision}


def _positions(folder: Path) -> int | None:
    """Tokens that a model of this machine can read at once, where its description says so."""
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # whatever is wrong with it is said when the study is rehearsed
    found = (said.get(name) for name in ("max_position_embeddings", "n_positions"))
    return next((number for number in found if isinstance(number, int)), None)
