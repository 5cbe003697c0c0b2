"""Ctrl-C at any moment: one line, nothing lost, and the same command goes on."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import dagster as dg
import pytest
from attempts import Attempt, Zygote
from small_project import Project, enter
from smallest_study import NAME
from study_outcome import Outcome, check_same, clear_away, study_outcome

from selection_assets.command.stopping import BY_A_SIGNAL, STOPPED
from selection_assets.refresh.run_work import RefreshFailed, run_work
from selection_assets.refresh.work import Work

pytestmark = pytest.mark.study

STOPS = 4
STEPS = 26
"""Partitions that the study materializes."""


def test_a_run_that_is_stopped_again_and_again_says_one_line_and_comes_to_the_same(
    fresh: Path, undisturbed: Outcome, zygote: Zygote, tmp_path: Path
) -> None:
    project = Project(shutil.copytree(fresh, tmp_path / "project"))
    chance, stopped = random.Random(STOPS), 0
    while stopped < STOPS:
        attempt = zygote.start(project, "run", NAME)
        if not ctrl_c(attempt, published(project) + STEPS // STOPS, chance.random()):
            attempt.finish()
            break
        code = attempt.wait()
        if code == 0:  # the last run of all had nothing left to stop
            break
        said = attempt.log.read_text()
        assert code == BY_A_SIGNAL, said[-3000:]
        assert "Traceback" not in said
        assert said.rstrip().splitlines()[-1] == f"Error: {STOPPED}"
        attempt.log.unlink()
        stopped += 1
    assert stopped >= 2
    zygote.start(project, "run", NAME).finish()
    for current in enter(project):
        clear_away(current.ledger)
        check_same(study_outcome(current.ledger), undisturbed)


@dg.success_hook
def stop_beside_the_step(context: dg.HookContext) -> None:
    """Dagster calls it when the step is over."""
    os.kill(os.getpid(), signal.SIGINT)


@dg.success_hook
def fail_beside_the_step(context: dg.HookContext) -> None:
    context.log.info("about to fail")
    raise SystemExit("this process is not wanted any more")


def run_with(*hooks: dg.HookDefinition) -> None:
    @dg.asset(key_prefix="toy")
    def figure() -> int:
        return 42

    job = dg.define_asset_job("one", hooks={*hooks})
    with dg.instance_for_test() as instance:
        resolved = dg.Definitions(assets=[figure], jobs=[job]).resolve_job_def("one")
        run_work(resolved, Work(("toy/figure",)), instance, known=[])


def test_a_signal_between_two_steps_is_no_failure():
    with pytest.raises(KeyboardInterrupt):
        run_with(stop_beside_the_step)


def test_a_signal_after_the_last_step_is_not_lost(monkeypatch):
    """Dagster forgets it; what would have been run next must not be."""
    finish = dg.DagsterEvent.job_success

    def stopped_while_finishing(context: object) -> dg.DagsterEvent:
        signal.raise_signal(signal.SIGINT)
        return finish(context)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(dg.DagsterEvent, "job_success", stopped_while_finishing)
    with pytest.raises(KeyboardInterrupt):
        run_with()


def test_what_fails_beside_the_steps_says_why():
    with pytest.raises(RefreshFailed, match=r"failed:\nSystemExit: this process is not wanted"):
        run_with(fail_beside_the_step)


def ctrl_c(attempt: Attempt, steps: int, life: float) -> bool:
    """Send the signal once so many steps are published, a moment later; False when it has ended."""
    while attempt.is_alive() and published(attempt.project) < steps:
        time.sleep(0.02)
    time.sleep(life)
    if not attempt.is_alive():
        return False
    os.kill(attempt.pid, signal.SIGINT)
    return True


def published(project: Project) -> int:
    """Versions that lie in the store; the ledger is not asked, which has one user at a time."""
    return len(list((project.root / "store/artifacts").glob("[a-z]*/**/manifest.json")))
