"""`selection gc --delete --unfinished-days 0` beside a step at work: its folders stay."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from real_processes import Child
from slow_step import RUN

from resources.ledger.ledger import Ledger, open_ledger
from resources.project import ROOT_VARIABLE
from selection_assets.command.subcommands.gc import gc

ANOTHER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]

EXECUTE = """
import os, sys
command = [*sys.argv[2:], sys.executable, "-c", sys.argv[1]]
os.execvp(command[0], command)
"""


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return open_ledger(tmp_path / "store")


def clear_away() -> str:
    result = CliRunner().invoke(gc, ["--delete", "--unfinished-days", "0"])
    assert result.exit_code == 0, result.output
    return result.output


def go_on(step: Child) -> None:
    assert step.stdin is not None
    step.stdin.write("\n")
    step.stdin.flush()


def start(namespace: list[str]) -> Child:
    step = Child(EXECUTE, RUN, *namespace) if namespace else Child(RUN)
    assert step.next_line() == "at_work\n"
    return step


@pytest.mark.parametrize(
    "namespace",
    [
        pytest.param([], id="here", marks=pytest.mark.slow),
        pytest.param(ANOTHER_NAMESPACE, id="other numbers"),
    ],
)
def test_a_step_keeps_its_folders_and_ends_well(ledger, namespace, figures):
    if namespace and subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("another process namespace cannot be had here")
    step = start(namespace)
    nothing = "nothing to remove: the ledger names every folder, and no work is left over\n"
    assert clear_away() == nothing
    go_on(step)
    assert step.next_line() == "after_stage\n"
    assert clear_away() == nothing
    go_on(step)
    assert step.end() == "True\n"
    made = ledger.current("toy/slow", "all")
    assert made is not None
    assert made.path("whole.md").read_text() == "half and half"
    assert clear_away() == nothing
    assert not list((ledger.artifacts / ".work").iterdir())
    assert not list((ledger.artifacts / ".stage").iterdir())
    figures.record("P2", clearings_beside_a_step_at_work=2)


@pytest.mark.parametrize("kind", [pytest.param("work", marks=pytest.mark.slow), "stage"])
def test_what_a_killed_step_has_left_is_removed_at_once(ledger, kind):
    step = start([])
    if kind == "stage":
        go_on(step)
        step.next_line()
    step.shoot()
    assert "removed" in clear_away()
    for folder in {".work", f".{kind}"}:
        assert not list((ledger.artifacts / folder).iterdir())
