"""How does what goes wrong reach a person: as one message, with which exit code?"""

import os

import click

from selection.reports.escaping import printable
from selection_assets.command.stopping import BY_A_SIGNAL, STOPPED

TRACEBACK = "SELECTION_TRACEBACK"
"""Of an error that nobody has foreseen the place in the code is shown where this is set."""

CLICKS_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)
"""What click tells, or ends with, by itself."""


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


class PlainErrors(click.Group):
    """Turns the errors that a person can do something about into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return self._told(ctx)
        except KeyboardInterrupt as error:
            raise Stopped(STOPPED) from error

    def _told(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CLICKS_OWN:
            raise
        except Exception as error:
            told = told_plainly(error)
            if told is None:
                raise
            raise told from error


def told_plainly(error: Exception) -> Plain | None:
    """Return what a person is told of an error; None of a fault of the program."""
    # Imported once something has failed: a command that only reads needs few of them.
    import duckdb

    from resources.ledger.database import LedgerBusy
    from resources.ledger.loss import LedgerLost
    from resources.ledger.recover import CannotRecover
    from resources.ledger.schema import UnknownLedger
    from resources.store.artifacts import CorruptArtifact
    from resources.store.publishing_lock import StoreBusy
    from resources.store.shared_store import SharedStoreFailed
    from selection.config.files import ConfigurationError
    from selection_assets.command.lineage import NotInLedger
    from selection_assets.command.why import NoSuchRow

    expected = (LedgerBusy, LedgerLost, CannotRecover, StoreBusy, UnknownLedger)
    expected += (CorruptArtifact, SharedStoreFailed, NoSuchRow, NotInLedger)
    # What files and settings cause where nobody has foreseen it; sensors catch the same.
    from_outside = (ValueError, OSError, duckdb.Error)
    if isinstance(error, ConfigurationError):
        return Misused(str(error))
    if isinstance(error, expected):
        return Broken(str(error))
    if not isinstance(error, from_outside) or os.environ.get(TRACEBACK):
        return None
    return Broken(str(error).strip() or type(error).__name__)
