"""The command line as tests call it."""

import json
from typing import Any

from click.testing import CliRunner, Result
from small_project import Project

from resources.store.artifacts import Artifact
from selection_assets.command.cli import main

ARM = "30pct|ot"


CHECKPOINT = "small/finetuned_checkpoint[ot x 30pct]"


def selection(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def printed_json(*arguments: str) -> Any:
    result = selection(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def current(project: Project, asset: str, partition: str = "all") -> Artifact:
    found = project.ledger.current(asset, partition)
    assert found is not None
    return found
