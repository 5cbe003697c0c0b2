"""P10: a run that dies leaves STARTED in bounded time, and what it had reserved becomes a loss."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from attempts import Zygote
from real_processes import Child
from small_project import Project, enter
from smallest_study import NAME

from resources.dead_runs import fail_dead_runs
from sensors.definitions import build_code_location

DIE_BEFORE = """
import os, sys
import dagster as dg
from selection_assets.command.run import run_study

handle = dg.DagsterInstance.handle_new_event

def die_before(self, event, **options):
    if event.dagster_event is not None and event.dagster_event.event_type_value == sys.argv[1]:
        os.kill(os.getpid(), 9)
    handle(self, event, **options)

dg.DagsterInstance.handle_new_event = die_before
run_study("least")
"""


@pytest.fixture
def project(finished_smallest: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest project, in which every report is to be made again."""
    root = Path(shutil.copytree(finished_smallest, tmp_path / "project"))
    study = root / "studies/least.yaml"
    study.write_text(study.read_text().replace("n_resamples: 200", "n_resamples: 300"))
    yield from enter(Project(root))


def entries(project: Project) -> list[tuple[str, str]]:
    found = project.ledger.query(
        "SELECT asset, state FROM spend WHERE state <> 'settled' ORDER BY started_at"
    )
    return [(row["asset"], row["state"]) for row in found]


def statuses(instance: dg.DagsterInstance) -> set[str]:
    return {run.status.value for run in instance.get_runs()}


def tick(instance: dg.DagsterInstance) -> None:
    """Evaluate the sensor as its daemon does every minute."""
    repository = build_code_location().get_repository_def()
    with dg.build_sensor_context(
        instance=instance,
        repository_def=repository,
        resources=repository.get_top_level_resources(),
        instance_ref=instance.get_ref(),
    ) as context:
        repository.get_sensor_def("settle_dead_runs").evaluate_tick(context)


def die_at_costly_work(zygote: Zygote, project: Project) -> str:
    """Let `selection run` die once it has something reserved; returns for which asset."""
    zygote.start(project, "run", NAME, SELECTION_CRASH_AT="after_reserve").die()
    [(asset, state)] = entries(project)
    assert state == "running"
    return asset


def test_a_run_at_work_is_left_alone_until_it_is_killed(zygote, project, figures):
    with project.instance() as instance:
        attempt = zygote.start(project, "run", NAME)
        while "STARTED" not in statuses(instance):
            assert attempt.is_alive(), attempt.log.read_text()[-2000:]
            time.sleep(0.01)
        assert fail_dead_runs(instance, []) == []
        attempt.kill()
        assert attempt.wait() == -9
        tick(instance)
        assert statuses(instance) <= {"FAILURE", "SUCCESS"}
    figures.record("P10", runs_killed_and_settled=1)


def test_a_killed_run_is_failed_and_its_reservation_lost_by_the_next_tick(zygote, project, figures):
    asset = die_at_costly_work(zygote, project)
    with project.instance() as instance:
        assert "STARTED" in statuses(instance), "nobody was left to say that it died"
        tick(instance)
        assert statuses(instance) <= {"FAILURE", "SUCCESS"}
        assert entries(project) == [(asset, "lost")]
        tick(instance)
        assert entries(project) == [(asset, "lost")]
    figures.record("P10", runs_killed_and_settled=1)


def test_the_next_run_settles_what_the_last_one_left_and_waits_for_nothing(
    zygote, project, figures
):
    """The dead run held the `gpu` pool, for which every costly step waits."""
    asset = die_at_costly_work(zygote, project)
    zygote.start(project, "run", NAME).finish()
    assert entries(project) == [(asset, "lost")]
    with project.instance() as instance:
        assert statuses(instance) <= {"FAILURE", "SUCCESS"}
    figures.record("P10", runs_killed_and_settled=1)


@pytest.mark.parametrize(
    "event", ["PIPELINE_START", pytest.param("ENGINE_EVENT", marks=pytest.mark.slow)]
)
def test_a_run_killed_before_it_says_which_process_it_is_does_not_stay_for_ever(
    zygote, project, event, figures
):
    zygote.start(project, event, script=DIE_BEFORE).die()
    with project.instance() as instance:
        assert not statuses(instance) <= {"FAILURE", "SUCCESS"}
        tick(instance)
        assert statuses(instance) == {"FAILURE", "SUCCESS"}
    figures.record("P10", runs_killed_and_settled=1)


def test_a_dead_process_whose_parent_has_not_asked_is_no_life(project):
    """A worker that was killed under a server keeps its number until the server asks."""
    child = Child("input()")
    with project.instance() as instance:
        job = build_code_location().resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, tags={"selection/process": str(child.pid)})
        assert fail_dead_runs(instance, []) == []
        child.kill()
        until = time.monotonic() + 10
        while not fail_dead_runs(instance, []):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    child.end(-9)
