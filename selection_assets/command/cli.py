"""The `selection` command line."""

import json
import os
from collections.abc import Callable
from typing import Any

import click
import duckdb

from resources.ledger.database import LedgerBusy
from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.lineage import current_artifacts, spending, totals
from resources.ledger.loss import LedgerLost
from resources.ledger.recover import CannotRecover
from resources.ledger.schema import UnknownLedger
from resources.project import store_root
from resources.store.artifacts import Artifact, CorruptArtifact
from resources.store.publishing_lock import StoreBusy
from selection.config.files import ConfigurationError
from selection.reports.escaping import printable
from selection_assets.command.exporting.export import export
from selection_assets.command.gc import gc
from selection_assets.command.lineage import NotInLedger, find_lineage, lineage_text
from selection_assets.command.picking.new import new
from selection_assets.command.picking.pick import pick
from selection_assets.command.recover import recover
from selection_assets.command.spent import records_table, shares_table, totals_table
from selection_assets.command.stopping import BY_A_SIGNAL, STOPPED
from selection_assets.command.ui import ui
from selection_assets.command.why import NoSuchRow, find_why, why_text

# Dagster and torch take seconds to import: only `run` does it, where it needs them.


class Plain(click.ClickException):
    """A message for a person; nothing in it can drive their terminal."""

    def format_message(self) -> str:
        """Return the message, its lines kept."""
        return printable(self.message)


class Broken(Plain):
    """What was asked failed."""

    exit_code = 1


class Misused(Plain):
    """What was asked cannot be done as configured."""

    exit_code = 2


class Stopped(Plain):
    """A person, or the system, has asked to end."""

    exit_code = BY_A_SIGNAL


EXPECTED = (
    *(LedgerBusy, LedgerLost, CannotRecover, StoreBusy, UnknownLedger),
    *(CorruptArtifact, NoSuchRow, NotInLedger),
)
"""Errors that a person can do something about."""

FROM_OUTSIDE = (ValueError, OSError, duckdb.Error)
"""What files and settings cause where nobody has foreseen it; sensors catch the same."""

TRACEBACK = "SELECTION_TRACEBACK"
"""Of these the place in the code is shown where this variable is set."""


class PlainErrors(click.Group):
    """Turns the errors that a person can do something about into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise Misused(str(error)) from error
        except EXPECTED as error:
            raise Broken(str(error)) from error
        except KeyboardInterrupt as error:
            raise Stopped(STOPPED) from error
        except FROM_OUTSIDE as error:
            if isinstance(error, BrokenPipeError) or os.environ.get(TRACEBACK):
                raise
            raise Broken(str(error).strip() or type(error).__name__) from error


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(cls=PlainErrors)
def main() -> None:
    """Pick the training rows worth paying for, and see why and at what cost."""


main.add_command(export)
main.add_command(gc)
main.add_command(new)
main.add_command(pick)
main.add_command(recover)
main.add_command(ui)


@main.command()
@click.argument("study")
@click.option("--dry-run", is_flag=True, help="Say what would be materialized first; run nothing.")
@click.option("--up-to", metavar="ASSET", help="Stop at this asset, such as selected_subset.")
def run(study: str, dry_run: bool, up_to: str | None) -> None:
    """Bring STUDY up to date, then print its verdicts and what they cost."""
    from selection_assets.command.run import dry_run_study, run_study
    from selection_assets.refresh.run_work import RefreshFailed

    try:
        (dry_run_study if dry_run else run_study)(study, up_to=up_to)
    except RefreshFailed as error:
        raise Broken(f"{error}\n`make ui` shows the whole log of the run") from error


@main.command()
@click.argument("study")
@as_json
def plan(study: str, as_json: bool) -> None:
    """Print what every arm of STUDY would cost and take, before anything expensive runs.

    Reads pool and target, and measures for some seconds how fast this device is.
    """
    from selection_assets.command.plan import find_plan, plan_text
    from selection_assets.command.run import plan_study
    from selection_assets.refresh.run_work import RefreshFailed

    try:
        planned = plan_study(study, quietly=as_json)
    except RefreshFailed as error:
        raise Broken(str(error)) from error
    opened = _ledger()
    found = find_plan(planned, opened)
    _show(found, as_json, lambda: plan_text(planned, opened, found))


@main.command()
@click.argument("study")
@click.option("--flops", type=float, help="Let the study spend so many FLOPs in all.")
@click.option("--device-hours", type=float, help="Let it hold the device for so many hours.")
@click.option("--usd", type=float, help="Let it cost so much money.")
@click.option("--reason", default="", help="Why; the ledger keeps it.")
@click.option("--actor", help="Who decided it; your login name unless given.")
@as_json
def cap(
    study: str,
    flops: float | None,
    device_hours: float | None,
    usd: float | None,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Print what STUDY may still spend, or change its cap, with a reason."""
    from selection.budget.amounts import Cap
    from selection_assets.command.asked import asked_study
    from selection_assets.command.cap import cap_text, change_cap, find_cap

    found = asked_study(study)
    opened = _ledger()
    given = {"flops": flops, "device_hours": device_hours, "usd": usd}
    wanted = [(unit, limit) for unit, limit in given.items() if limit is not None]
    if len(wanted) > 1:
        raise Misused("give one of --flops, --device-hours and --usd")
    if wanted:
        try:
            changed = Cap(*wanted[0], found.usd_per_device_hour)  # pyright: ignore
        except ValueError as error:
            raise Misused(str(error)) from error
        change_cap(found, opened, changed, reason=reason, actor=actor)
    standing = find_cap(found, opened)
    _show(standing, as_json, lambda: cap_text(standing))


@main.command()
@click.option("--study", help="Only what this study, or pool, paid for.")
@as_json
def ledger(study: str | None, as_json: bool) -> None:
    """Print what every asset and partition cost."""
    opened = _ledger()
    spent = totals(opened)
    campaigns = sorted({total["campaign"] for total in spent})
    if study is not None and study not in campaigns:
        known = ", ".join(campaigns) or "nobody so far"
        raise Broken(f"{study!r} has paid for nothing; these have: {known}")
    found = spending(opened, study)
    columns = ("asset", "partition", "state", "accountant", "flops", "device_seconds")
    columns += ("wall_seconds", "usd")
    of_study = [total for total in spent if study in (None, total["campaign"])]
    _show(
        found,
        as_json,
        lambda: (
            records_table({column: column for column in columns}, found)
            + f"\n\ncharged once, to whose work it is\n{totals_table(of_study)}"
            + f"\n\nborne by whom, shared work divided\n{shares_table(opened, study)}"
        ),
    )


@main.command()
@click.argument("row_id")
@click.option("--study", help="Only the arms of this study.")
@as_json
def why(row_id: str, study: str | None, as_json: bool) -> None:
    """Print which arms chose the row ROW_ID (or a unique beginning of it), and why."""
    found = find_why(_ledger(), row_id, study)
    _show(found, as_json, lambda: why_text(found))


@main.command()
@click.argument("checkpoint")
@as_json
def lineage(checkpoint: str, as_json: bool) -> None:
    """Walk from CHECKPOINT up to the sources.

    CHECKPOINT is `quickstart/finetuned_checkpoint[ot x 5pct]`, or a checkpoint's folder.
    """
    found = find_lineage(_ledger(), checkpoint)
    _show(found, as_json, lambda: lineage_text(found))


@main.command()
@click.option("--head", help="Hash of an entry noted earlier, which must still be in the ledger.")
@as_json
def verify(head: str | None, as_json: bool) -> None:
    """Hash every file of every current artifact, and check every entry of the ledger."""
    opened = _ledger()
    artifacts = current_artifacts(opened)
    results = [
        {
            "asset": artifact.asset,
            "partition": artifact.partition,
            "version": artifact.version,
            "problem": _problem(artifact),
        }
        for artifact in artifacts
    ]
    corrupt = [result["problem"] for result in results if result["problem"]]
    wrong = opened.verify(head)
    entries, last = opened.head()
    results += [
        {"asset": "ledger", "partition": f"{entries} entries", "version": last, "problem": problem}
        for problem in wrong or [None]
    ]
    _show(
        results,
        as_json,
        lambda: (
            f"{len(artifacts)} artifacts, {len(corrupt)} corrupt\n"
            f"{entries} entries of the ledger, {len(wrong)} things wrong; its head is {last}"
        ),
    )
    if corrupt or wrong:
        raise Broken("\n".join([*corrupt, *wrong]))


def _problem(artifact: Artifact) -> str | None:
    try:
        artifact.verify()
    except (CorruptArtifact, OSError) as error:
        return str(error)
    return None


def _ledger() -> Ledger:
    return open_ledger(store_root())


def _show(found: Any, as_json: bool, text: Callable[[], str]) -> None:
    # JSON's escapes of everything but ASCII keep row text from driving the terminal.
    click.echo(json.dumps(found, indent=1, default=str) if as_json else text())
