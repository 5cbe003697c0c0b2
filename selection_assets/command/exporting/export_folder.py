"""The rows that an arm selected, or a model that it trained, as a folder for people."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.lineage import inputs_called, read_by
from resources.project import store_root
from resources.store.artifacts import Artifact
from resources.store.contents import write_content
from selection.basics.file_names import printable_name
from selection.config.study import Study
from selection.export.bundle import CARD, SAID, make_bundle
from selection.export.card import Origins, with_ledger
from selection.export.formats import Container, ExportFormat
from selection.export.model_card import ModelFacts, model_card
from selection.export.rows import CannotExport
from selection_assets.command.asked import asked_study
from selection_assets.command.exporting.out_folder import check_free, write_folder
from selection_assets.command.exporting.rejected import write_rejected
from selection_assets.planning.current import find_current_plan
from selection_assets.planning.known_rates import trained_model
from selection_assets.shared.chosen_rows import chosen_rows, draws_of, hub_model, origins_of
from selection_assets.shared.read_paths import all_data_paths
from selection_assets.stage.keys import arm_key

FILE = "training_file"
REJECTED = "rejected.parquet"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How rows are to be exported; as the asset has them where nothing is said.

    Attributes
    ----------
    format, container : of the rows; None for the usual ones.
    shuffle : seed of their order; None: best first.
    draw : of the method's rankings.
    with_rejected : whether the rest is exported too, with reasons.
    """

    format: ExportFormat | None = None
    container: Container = "jsonl"
    shuffle: int | None = None
    draw: int = 0
    with_rejected: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether the rows are wanted as the asset has them."""
        return replace(self, with_rejected=False) == Wanted()


def export_rows(name: str, arm: str, out: Path, wanted: Wanted) -> str:
    """Bring the rows of an arm up to date and write them into a folder; return what is said.

    Raises
    ------
    CannotExport
        For an arm that there is not, and for rows that cannot be written so.
    """
    # Dagster takes seconds to import, and a checkpoint is exported without it.
    from selection_assets.command.run import make_up_to

    method, budget = read_arm(asked_study(name), arm)
    check_free(out, store_root(), all_data_paths())
    study = make_up_to(name, FILE, "exported", quietly=True, arm=arm_key(method, budget))
    return write_rows(study, method, budget, out, wanted)


def write_rows(study: Study, method: str, budget: str, out: Path, wanted: Wanted) -> str:
    """Write the rows of an arm as they are now into a folder that is free; return what is said.

    Raises
    ------
    CannotExport
        For an arm that has selected none yet, and for rows that cannot be written so.
    """
    ledger = open_ledger(store_root())
    made = _current(study, ledger, FILE, method, budget)
    subset, corpus = _made_from(ledger, made)
    bundle = None
    if not wanted.is_usual or SAID not in made.files():  # an earlier version has not written it
        bundle = make_bundle(
            chosen_rows(subset, corpus, draw=wanted.draw),
            _origins(study, subset, corpus, wanted.draw),
            wanted=wanted.format,
            container=wanted.container,
            shuffle=wanted.shuffle,
            model=hub_model(study),
        )
    said = [*(made.json(SAID) if bundle is None else bundle.lines())]
    with write_folder(out) as folder:
        if bundle is None:
            for file in made.files():
                if file != SAID:
                    shutil.copyfile(made.path(file), folder / file)
        else:
            for file, content in bundle.files.items():
                write_content(folder / file, content)
        card = (folder / CARD).read_text(encoding="utf-8")
        write_content(folder / CARD, with_ledger(card, _place(ledger, made)))
        if wanted.with_rejected and (
            rejected := _write_rejected(folder / REJECTED, study, ledger, subset, wanted.draw)
        ):
            said.append(f"{REJECTED} has the {rejected:,} rows that were not selected, and why")
    return "\n".join([f"{_shown(out)}: {said[0]}", *said[1:]])


def export_checkpoint(name: str, arm: str, out: Path, seed: int | None) -> str:
    """Write a model that an arm has trained into a folder; return what is said.

    Raises
    ------
    CannotExport
        For an arm or a seed that there is not, and one that has not been trained.
    """
    study, ledger = asked_study(name), open_ledger(store_root())
    method, budget = read_arm(study, arm)
    if not study.trains:
        raise CannotExport(f"study {study.name} trains nothing (`trains: false`): it has no model")
    check_free(out, store_root(), all_data_paths())
    trained = _current(study, ledger, "finetuned_checkpoint", method, budget)
    subset, _ = _made_from(ledger, trained)
    _, corpus = _made_from(ledger, subset)
    seeds = [found["seed"] for found in trained.json("training.json")["seeds"]]
    chosen = seeds[0] if seed is None else seed
    if chosen not in seeds:
        raise CannotExport(f"there is no seed {chosen}: there are {', '.join(map(str, seeds))}")
    draw = seeds.index(chosen) % len(draws_of(subset))
    report = ledger.current(f"{study.name}/eval_report", arm_key(method, budget))
    if report is not None and trained not in read_by(ledger, report):
        report = None  # of an earlier model
    measured = None if report is None else report.json("report.json")
    facts = ModelFacts(seed=chosen, base=trained_model(study), report=measured)
    origins = _origins(study, subset, corpus, draw)
    card = model_card(chosen_rows(subset, corpus, draw=draw), origins, facts)
    with write_folder(out) as folder:
        shutil.copytree(trained.path(f"seed_{chosen}"), folder, dirs_exist_ok=True)
        write_content(folder / CARD, with_ledger(card, _place(ledger, trained)))
    return f"{_shown(out)}: the model that {method} at {budget} trained with the seed {chosen}"


def read_arm(study: Study, arm: str) -> tuple[str, str]:
    """Return method and budget of an arm, written `ot x 5pct` or `5pct|ot`.

    Raises
    ------
    CannotExport
        Naming the arms that there are.
    """
    method, found, budget = (part.strip() for part in arm.partition(" x "))
    if not found:
        budget, _, method = (part.strip() for part in arm.partition("|"))
    budgets = [each.key for each in study.budgets]
    if method not in study.methods or budget not in budgets:
        known = ", ".join(f"{each} x {key}" for each in study.methods for key in budgets)
        raise CannotExport(f"study {study.name} has no arm {arm!r}; it has {known}")
    return method, budget


def _current(study: Study, ledger: Ledger, asset: str, method: str, budget: str) -> Artifact:
    found = ledger.current(f"{study.name}/{asset}", arm_key(method, budget))
    if found is not None:
        return found
    plan = find_current_plan(study, ledger)
    arms = [] if plan is None else plan["arms"]
    for arm in arms:
        if (arm["method"], arm["budget"]) == (method, budget) and not arm["feasible"]:
            raise CannotExport(f"{method} at {budget} is infeasible: {arm['reason']}")
    raise CannotExport(
        f"{method} at {budget} has no {asset} yet: `selection run {study.name} --up-to {asset}`"
    )


def _made_from(ledger: Ledger, made: Artifact) -> tuple[Artifact, dict[str, Artifact]]:
    """Return the subset, and the rows by source, that a version was made from.

    Not the current ones: what was trained before a change was trained on what there was.
    """
    read = read_by(ledger, made)
    subset = next((a for a in read if a.asset.endswith("/selected_subset")), made)
    return subset, {a.partition: a for a in read if a.asset.endswith("/raw_corpus")}


def _write_rejected(path: Path, study: Study, ledger: Ledger, subset: Artifact, draw: int) -> int:
    """Write the rows that a subset has left; of them and their scores the versions that it read."""
    scores = study.named_methods[subset.json("arm.json")["method"]].scores_asset
    return write_rejected(
        path,
        subset,
        inputs_called(ledger, subset, "raw_corpus"),
        inputs_called(ledger, subset, scores),
        draw,
    )


def _origins(study: Study, subset: Artifact, corpus: Mapping[str, Artifact], draw: int) -> Origins:
    product = version("selection-assets")
    return origins_of(study, subset, corpus, draw=draw, product=product)


def _place(ledger: Ledger, made: Artifact) -> dict[str, str]:
    """Where the ledger has a version: `selection verify --head` checks it later."""
    entries, head = ledger.head()
    return {
        f"{made.asset}[{made.partition}]": made.version,
        "entries of the ledger": str(entries),
        "its head": head,
    }


def _shown(out: Path) -> str:
    return printable_name(str(out))
