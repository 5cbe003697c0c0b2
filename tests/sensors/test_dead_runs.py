"""Runs that die, and the sensors that settle what they leave."""

import os
import signal
import subprocess
import sys
import time

import dagster as dg
from places import REPOSITORY
from real_processes import Child
from small_project import Project
from spending import reserve
from ticks import EMBEDDER, LIBRARY, tick

from resources.dead_runs import HOST_TAG, STARTED_TAG, fail_dead_runs, process_tags
from resources.processes import Process
from sensors.definitions import build_code_location


def entries(project: Project) -> list[tuple[str, str]]:
    found = project.ledger.query("SELECT asset, state FROM spend ORDER BY started_at")
    return [(row["asset"], row["state"]) for row in found]


COSTLY_RUN = """
import dagster as dg
from sensors.definitions import defs

with dg.DagsterInstance.get() as instance:
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["library", "static", "embedder"])], instance=instance
    )
"""


RESERVE = """
import sys
from pathlib import Path
from resources.ledger.ledger import open_ledger
from resources.processes import this_process
from spending import reserve

ledger = open_ledger(Path(sys.argv[1]))
reserve(ledger, "library/static/embedder", run_id=sys.argv[2], holder=this_process())
print("reserved", flush=True)
sys.stdin.read()
"""


def kill_a_costly_run(project: Project, instance: dg.DagsterInstance) -> str:
    """Start a real run in another process and SIGKILL it at its costly work; returns its id."""
    command = [sys.executable, "-c", COSTLY_RUN]
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ) as process:
        deadline = time.monotonic() + 120
        while not entries(project) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert entries(project) == [("library/static/embedder", "running")]
        assert fail_dead_runs(instance, []) == [], "a run at work is left alone"
        process.send_signal(signal.SIGKILL)
    (run,) = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.STARTED, "nobody was left to say that it died"
    return run.run_id


def test_a_run_killed_without_a_word_becomes_a_failure_and_a_loss(project, instance):
    run_id = kill_a_costly_run(project, instance)
    answer = tick("settle_dead_runs", instance)
    assert answer.skip_message == "runs found dead: 1; reservations settled as lost: 1"
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
    assert entries(project) == [("library/static/embedder", "lost")]
    (lost,) = project.ledger.query(
        "SELECT flops, reserved_flops, device_seconds, reserved_seconds FROM spend"
    )
    assert lost["flops"] == lost["reserved_flops"], "what it computed is unknown, but bounded"
    assert 0 < lost["device_seconds"] <= lost["reserved_seconds"]
    again = tick("settle_dead_runs", instance)
    assert again.skip_message == "runs found dead: 0; reservations settled as lost: 0"


def test_a_run_of_the_command_line_that_fails_is_a_loss_in_the_ledger(project, instance):
    start = tick("record_failed_runs", instance)
    run_id = kill_a_costly_run(project, instance)
    assert fail_dead_runs(instance, []) == [run_id]
    assert entries(project) == [("library/static/embedder", "running")]
    answer = tick("record_failed_runs", instance, start.cursor)
    assert [reaction.error for reaction in answer.dagster_run_reactions] == [None]
    assert entries(project) == [("library/static/embedder", "lost")]


def test_a_cancelled_run_is_settled_too(project, instance):
    run = instance.create_run_for_job(
        build_code_location().resolve_implicit_global_asset_job_def(),
        asset_selection=frozenset({EMBEDDER}),
    )
    worker = Child(RESERVE, project.workspace.folder, run.run_id)
    worker.next_line()
    tick("settle_dead_runs", instance)
    assert entries(project) == [("library/static/embedder", "running")], "it may still start"
    instance.report_run_canceled(run)
    tick("settle_dead_runs", instance)
    assert entries(project) == [("library/static/embedder", "running")], "its process goes on"
    worker.shoot()
    tick("settle_dead_runs", instance)
    assert entries(project) == [("library/static/embedder", "lost")]


def test_a_process_that_took_over_the_number_of_a_run_s_is_not_the_run_s(project, instance):
    job = build_code_location().resolve_implicit_global_asset_job_def()
    ours = process_tags()
    living = instance.create_run_for_job(job, tags=ours)
    taken_over = instance.create_run_for_job(job, tags=ours | {STARTED_TAG: "1"})
    assert fail_dead_runs(instance, []) == [taken_over.run_id]
    assert not instance.get_run_by_id(living.run_id).is_finished


def test_a_run_of_another_container_is_given_up_once_it_is_silent(project, instance, monkeypatch):
    """Its process number means another process here, or none."""
    job = build_code_location().resolve_implicit_global_asset_job_def()
    there = Process("another boot", 1, 1)
    tags = process_tags() | {HOST_TAG: there.host, STARTED_TAG: "1"}
    run_id = instance.create_run_for_job(job, tags=tags).run_id
    reserve(project.ledger, "library/static/embedder", "all", run_id, holder=there)
    assert fail_dead_runs(instance, []) == []
    monkeypatch.setattr("resources.dead_runs.SILENT_SECONDS", 0.0)
    held = {spend.run_id for spend in project.ledger.spending.held()}
    assert fail_dead_runs(instance, held) == []
    assert fail_dead_runs(instance, []) == [run_id]


def test_sensors_that_lead_to_spending_are_stopped_until_somebody_starts_them(project):
    sensors = build_code_location().get_repository_def().sensor_defs
    running = {s.name for s in sensors if s.default_status == dg.DefaultSensorStatus.RUNNING}
    assert {s.name for s in sensors} - running == {
        "watch_library_sources",
        "watch_small_target",
        "refresh_derived_assets",
    }
    assert running == {"record_failed_runs", "settle_dead_runs", "check_studies"}


def test_sensors_skip_without_their_ledger_and_say_what_to_do(project, instance):
    reserve(project.ledger)
    (project.root / "store/ledger.duckdb").unlink()
    for name in (LIBRARY, "settle_dead_runs"):
        answer = tick(name, instance)
        assert "`selection recover`" in answer.skip_message, name
        assert not answer.run_requests
