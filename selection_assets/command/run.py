"""`selection run`: refresh a study in this process, then print what came out of it."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from resources.dead_runs import clear_dead_runs
from resources.device import Device
from resources.ledger.ledger import Ledger
from resources.project import project_root
from resources.workspace import Workspace
from selection.basics.garbage import only_new_garbage
from selection.basics.whole_files import write_bytes_whole
from selection.config.pool import Pool
from selection.config.study import Study
from selection.reports.numbers import number
from selection_assets.command.asked import asked_study, pool_text, wait_until_still
from selection_assets.command.closing import closing_text, stopped_text
from selection_assets.command.history import open_history
from selection_assets.command.picked import picked_text
from selection_assets.planning.current import seconds_left
from selection_assets.refresh.partitions import sources_of
from selection_assets.refresh.refresh import (
    PLAN,
    SourcesFailed,
    Unfinished,
    named_stages,
    plan_refresh,
    refresh,
)
from selection_assets.refresh.waiting import watched_waiting
from selection_assets.refresh.work import Work
from selection_assets.rehearsal.finding import findings_text
from selection_assets.rehearsal.rehearse import NotReady, rehearse, require_ready
from selection_assets.shared.read_paths import data_paths
from selection_assets.studies import load_pools, see_that_data_are_there

Goal = Mapping[str, str | None]
"""`up_to` and `arm` of a refresh."""

CTRL_C = "Ctrl-C loses nothing that is finished, and the same command goes on from there"

TRAINING_FILE = "training_file"
"""Asset with which a study that only selects is done."""

SETTINGS = Path(__file__).resolve().parents[2] / "dagster_home" / "dagster.yaml"


def run_study(
    name: str, *, up_to: str | None = None, arm: str | None = None, rehearsed: bool = False
) -> None:
    """Materialize what is stale and print the closing table.

    Parameters
    ----------
    up_to : an asset at which to stop; what it holds is then said in place of the table.
    arm : the one that is wanted, as a partition key; None for all.
    rehearsed : whether this command has just seen, and shown, that it can run.
    """
    study, ledger = find_study(name), Workspace().ledger
    pool = load_pools()[study.pool]
    last = [] if up_to is None else named_stages(study, pool, up_to)
    goal = {"up_to": up_to, "arm": arm}
    if not rehearsed:
        _rehearse(study, pool, ledger, goal)
    if up_to is None and (seconds := seconds_left(study, ledger)):
        click.echo(f"about {number(seconds)} s are left by the plan; {CTRL_C}")

    def say(done: list[Work]) -> None:
        told = recomputed(done), _not_read(pool, ledger)
        picks = not study.trains and up_to in (None, TRAINING_FILE)
        ending = picked_text if picks else closing_text
        if last and not picks:
            ending = partial(stopped_text, [stage.name for stage in last])
        click.echo(ending(study, ledger, *told))

    try:
        done = _refresh(study, ledger, goal)
    except Unfinished as stop:
        # What could run has run, and may already say something.
        says = stop.done or isinstance(stop, SourcesFailed)
        if says and (last or _has_an_ending(study, ledger)):
            say(stop.done)
        raise
    say(done)


def _has_an_ending(study: Study, ledger: Ledger) -> bool:
    last = "pareto_frontier" if study.trains else "selected_subset"
    return bool(ledger.current_versions(f"{study.name}/{last}"))


def _not_read(pool: Pool, ledger: Ledger) -> str:
    return pool_text(pool, sources_of(pool, ledger).not_read)


def plan_study(name: str, *, quietly: bool) -> Study:
    """Bring the plan of a study up to date, with what it needs and nothing else."""
    return make_up_to(name, PLAN, "planned", quietly=quietly)


def make_up_to(name: str, asset: str, done: str, *, quietly: bool, arm: str | None = None) -> Study:
    """Bring an asset of a study up to date, with what it needs and nothing else.

    Parameters
    ----------
    done : what is said to be done without some sources, where these fail.
    arm : the one that is wanted, as a partition key; None for all.
    """
    study, ledger = find_study(name), Workspace().ledger
    pool, goal = load_pools()[study.pool], {"up_to": asset, "arm": arm}
    stale = _rehearse(study, pool, ledger, goal, quietly=quietly)
    if not stale and not sources_of(pool, ledger).unusable:
        return study  # to build all assets and open Dagster's history takes seconds
    try:
        _refresh(study, ledger, goal, quietly=quietly)
    except SourcesFailed as error:
        click.echo(f"{done} without some sources:\n{error}", err=True)
    return study


def _rehearse(
    study: Study,
    pool: Pool,
    ledger: Ledger,
    goal: Goal,
    *,
    quietly: bool = False,
) -> bool:
    """See that what is not up to date can run, before anything of it does.

    Files that have just changed are waited for first: until they are still, nothing is stale.

    Returns
    -------
    bool
        Whether there is such a thing.

    Raises
    ------
    NotReady
        With everything that is wrong.
    """
    _wait(pool, ledger)
    try:
        if not plan_refresh(study, ledger, **goal):
            return False
    except (ValueError, OSError):
        pass  # What cannot even be looked at is said below, with all else.
    _look_at_all(study, pool, ledger, fetch=True, quietly=quietly)
    return True


def _look_at_all(
    study: Study, pool: Pool, ledger: Ledger, *, fetch: bool, quietly: bool = False
) -> int:
    """Show what is not read and what was checked; returns how much would be left out.

    Raises
    ------
    NotReady
        With everything that stops the study.
    """
    sources = sources_of(pool, ledger)
    if not quietly and (said := pool_text(pool, sources.not_read)):
        click.echo(said)
    with only_new_garbage():
        findings = rehearse(study, pool, sources.unusable, fetch=fetch)
    if not quietly:
        click.echo(f"{findings_text(findings)}\n")
    require_ready(findings)
    return len(sources.unusable) + sum(1 for finding in findings if finding.problem)


def _wait(pool: Pool, ledger: Ledger) -> None:
    """Wait for files that have just changed; a ledger that is lost is said before."""
    ledger.query("SELECT 1")
    wait_until_still(pool)


def _refresh(study: Study, ledger: Ledger, goal: Goal, *, quietly: bool = False) -> list[Work]:
    use_dagster_home()
    # Imported late, because most commands need no asset.
    from selection_assets.definitions import build_definitions

    if not quietly:
        click.echo(f"device: {Device().describe()}")
    with open_history() as instance:
        clear_dead_runs(instance, ledger.spending)
        with watched_waiting(instance, ledger.spending, partial(tqdm.write, file=sys.stderr)):
            return refresh(study, build_definitions(), ledger, instance, **goal)


def dry_run_study(name: str, *, up_to: str | None = None) -> None:
    """Print what was checked, and what `run_study` would materialize first.

    Raises
    ------
    NotReady
        When something is wrong, a source or method that would be left out among it.
    """
    study = find_study(name)
    ledger = Workspace().ledger
    pool = load_pools()[study.pool]
    if up_to is not None:
        named_stages(study, pool, up_to)
    _wait(pool, ledger)
    left_out = _look_at_all(study, pool, ledger, fetch=False)
    _print_work(name, study, ledger, up_to)
    if left_out:
        raise NotReady(f"it would do without {left_out} of its sources and methods; see above")


def _print_work(name: str, study: Study, ledger: Ledger, up_to: str | None) -> None:
    work = plan_refresh(study, ledger, up_to=up_to)
    if not work:
        click.echo(f"{name} is up to date: nothing would be recomputed")
        return
    click.echo(f"{name}: would materialize first")
    for line in (line for one in work for line in one.lines):
        click.echo(f"  {line}")
    click.echo("and then whatever reads these, if their data turn out to differ")


def find_study(name: str) -> Study:
    """Return a study that can run here.

    Raises
    ------
    ConfigurationError
        When there is no such study, or data that it reads are absent, naming the path.
    """
    study = asked_study(name)
    for path in data_paths(study):
        see_that_data_are_there(study, path)
    return study


def use_dagster_home() -> None:
    """Let Dagster keep its history beside the project, unless `DAGSTER_HOME` says where.

    A home without settings gets those of the checkout.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or project_root() / "dagster_home").resolve()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if not (home / SETTINGS.name).exists():
        # A device that several runs hold at once is what Dagster's own settings would give.
        write_bytes_whole(home / SETTINGS.name, SETTINGS.read_bytes())
    os.environ["DAGSTER_HOME"] = str(home)


def recomputed(done: list[Work]) -> str:
    """One line: what the refresh did."""
    if not done:
        return "nothing had changed: nothing recomputed"
    names = dict.fromkeys(asset for work in done for asset in work.assets)
    count = sum(len(work.steps) for work in done)
    return f"recomputed {count} partitions of {len(names)} assets: {', '.join(names)}"
