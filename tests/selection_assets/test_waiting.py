"""A step waits for a device that another run holds, and that run is killed."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from command_line import selection
from real_processes import Child
from small_project import Project, enter
from smallest_study import NAME

from resources.dead_runs import HOST_TAG, PROCESS_TAG, STARTED_TAG
from resources.processes import started_at, this_process
from selection_assets.refresh import waiting
from selection_assets.stage.asset import GPU_POOL


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    yield from enter(Project(Path(shutil.copytree(fresh, tmp_path / "project"))))


def take_the_device(instance: dg.DagsterInstance, pid: int) -> dg.DagsterRun:
    """Let a run of a process hold it, as a step does that Dagster runs."""
    tags = {
        PROCESS_TAG: str(pid),
        STARTED_TAG: str(started_at(pid)),
        HOST_TAG: this_process().host,
    }
    status = dg.DagsterRunStatus.STARTED
    run = instance.add_run(dg.DagsterRun(job_name="other", status=status, tags=tags))
    instance.event_log_storage.initialize_concurrency_limit_to_default(GPU_POOL)
    claim = instance.event_log_storage.claim_concurrency_slot(GPU_POOL, run.run_id, "a_step")
    assert claim.is_claimed
    return run


def kill_once_it_is_waited_for(instance: dg.DagsterInstance, holder: Child) -> None:
    storage = instance.event_log_storage
    holder.wait_until(lambda: storage.get_concurrency_info(GPU_POOL).pending_step_count > 0)
    holder.shoot()


def test_a_run_tells_whom_it_waits_for_and_goes_on_once_they_are_dead(project, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_EVERY", 0.2)
    holder = Child("input()")
    with project.instance() as instance:
        run = take_the_device(instance, holder.pid)
        killer = threading.Thread(target=kill_once_it_is_waited_for, args=(instance, holder))
        killer.start()
        said = selection("plan", NAME)
        killer.join()
        assert said.exit_code == 0, said.output
        told = f"waiting for the device, which run {run.run_id[:8]} (process {holder.pid}) holds"
        assert said.stderr.count(told) == 1
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status == dg.DagsterRunStatus.FAILURE
