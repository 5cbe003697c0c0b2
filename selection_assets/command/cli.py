"""The `selection` command line: each command is a file of `subcommands`."""

import click

from selection_assets.command.errors import PlainErrors
from selection_assets.command.subcommands.cap import cap
from selection_assets.command.subcommands.export import export
from selection_assets.command.subcommands.gc import gc
from selection_assets.command.subcommands.ledger import ledger
from selection_assets.command.subcommands.lineage import lineage
from selection_assets.command.subcommands.new import new
from selection_assets.command.subcommands.pick import pick
from selection_assets.command.subcommands.plan import plan
from selection_assets.command.subcommands.recover import recover
from selection_assets.command.subcommands.run import run
from selection_assets.command.subcommands.share import share
from selection_assets.command.subcommands.ui import ui
from selection_assets.command.subcommands.verify import verify
from selection_assets.command.subcommands.why import why

# What a command does is imported when it runs: only so does the help of all come at once.


@click.group(cls=PlainErrors)
def main() -> None:
    """Pick the training rows worth paying for, and see why and at what cost."""


main.add_command(cap)
main.add_command(export)
main.add_command(gc)
main.add_command(ledger)
main.add_command(lineage)
main.add_command(new)
main.add_command(pick)
main.add_command(plan)
main.add_command(recover)
main.add_command(run)
main.add_command(share)
main.add_command(ui)
main.add_command(verify)
main.add_command(why)
