"""The process of a run is killed, and a step of it, a process of its own, goes on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from real_processes import Child
from reservations import wait_until
from several_steps import RUN
from small_project import Project, enter
from tiny_project import write_tiny_project

from resources.dead_runs import clear_dead_runs
from resources.ledger.losses import HeldSpend
from resources.processes import is_alive
from selection_assets.stage.asset import GPU_POOL


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield from enter(write_tiny_project(tmp_path / "project"))


def begun(project: Project, run: Child) -> HeldSpend:
    """A step of the run that is at work, once there is one."""
    spending = project.ledger.spending
    run.wait_until(lambda: bool(spending.held()))
    [step] = spending.held()
    assert step.pid != run.pid
    return step


def states(project: Project, step: HeldSpend) -> set[str]:
    found = project.ledger.query("SELECT state FROM spend WHERE asset = ?", [step.asset])
    return {row["state"] for row in found}


@pytest.mark.slow
def test_a_step_whose_run_was_killed_stops_by_itself_and_says_what_it_has_spent(project, figures):
    run = Child(RUN)
    step = begun(project, run)
    run.shoot()
    wait_until(lambda: not is_alive(step.pid))
    # On the step's own word: nobody else has looked.
    assert states(project, step) == {"lost"}
    assert project.ledger.verify() == []
    figures.record("P10", runs_killed_and_settled=1)


def test_the_device_is_nobody_else_s_while_such_a_step_lives(project, figures):
    run = Child(RUN)
    step = begun(project, run)
    os.kill(step.pid, signal.SIGSTOP)
    run.kill()
    run.wait()
    with project.instance() as instance:
        storage = instance.event_log_storage
        assert clear_dead_runs(instance, project.ledger.spending) == ([], 0)
        # As "terminate" of the UI does, which waits for nobody.
        instance.report_run_canceled(instance.get_run_by_id(step.run_id))
        assert clear_dead_runs(instance, project.ledger.spending) == ([], 0)
        assert storage.get_concurrency_info(GPU_POOL).active_run_ids == {step.run_id}
        os.kill(step.pid, signal.SIGCONT)
        wait_until(lambda: not is_alive(step.pid))
        assert states(project, step) == {"lost"}, "nobody else has looked since it went on"
        clear_dead_runs(instance, project.ledger.spending)
        assert storage.get_concurrency_info(GPU_POOL).active_run_ids == set()
        assert instance.get_run_by_id(step.run_id).status == dg.DagsterRunStatus.CANCELED
    run.end(-signal.SIGKILL)
    assert states(project, step) == {"lost"}
    figures.record("P10", runs_killed_and_settled=1)
