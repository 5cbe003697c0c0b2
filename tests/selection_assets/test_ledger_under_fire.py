"""Everybody who may want the ledger during a run, at once: each gets through, nothing is lost."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from real_processes import Child
from several_steps import AT_ONCE, CHARGES, PARTS, RUN, UNTIL
from small_project import Project, enter
from tiny_project import write_tiny_project

from resources.workspace import Workspace
from sensors.run_failure import settle_dead_runs

COMMAND_LINE = "from selection_assets.command.start import console; console()"

SHELL = """
import sys, threading, time
import duckdb

over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
read_only = True
while not over.is_set():
    tries, started = 0, time.monotonic()
    while True:
        tries += 1
        try:
            connection = duckdb.connect(sys.argv[1], read_only=read_only)
            break
        except duckdb.IOException as error:
            if "does not exist" not in str(error) and "lock" not in str(error).lower():
                raise
            time.sleep(0.005)
    entries = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    time.sleep(1.0)  # somebody looks at the answer
    connection.close()
    print(read_only, tries, entries, round(time.monotonic() - started, 1), flush=True)
    read_only = not read_only
    time.sleep(0.5)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project in which as many steps may hold the device as the run has processes."""
    project = write_tiny_project(tmp_path / "project")
    settings = project.root / "dagster_home/dagster.yaml"
    shipped = settings.read_text()
    settings.write_text(shipped.replace("default_limit: 1", f"default_limit: {AT_ONCE}"))
    assert settings.read_text() != shipped
    yield from enter(project)


def tick(instance: dg.DagsterInstance) -> str:
    """What the sensor that settles dead runs says."""
    with dg.build_sensor_context(
        instance=instance, resources={"workspace": Workspace()}
    ) as context:
        answer = settle_dead_runs(context)
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def test_a_run_its_sensor_the_command_line_and_a_person_s_shell_all_get_through(project):
    ledger = project.ledger
    assert ledger.verify() == []  # and the file is there
    seen_running = project.root / "seen_running"
    run = Child(RUN, **{UNTIL: str(seen_running)})
    shell = Child(SHELL, project.root / "store/ledger.duckdb")
    ticks, listed, verified = [], [], []
    with project.instance() as instance:
        while run.poll() is None:
            ticks.append(tick(instance))
            listed.append(json.loads(Child(COMMAND_LINE, "ledger", "--json").end()))
            if any(row["state"] == "running" for row in listed[-1]):
                seen_running.touch()
            ticks.append(tick(instance))
            verified.append(json.loads(Child(COMMAND_LINE, "verify", "--json").end()))
    assert run.end().splitlines()[-1] == "True"
    shell_said = [line.split() for line in shell.end().splitlines()]

    assert set(ticks) == {"runs found dead: 0; reservations settled as lost: 0"}
    states = {row["state"] for rows in listed for row in rows}
    assert states == {"running", "settled"}
    assert all(row["problem"] is None for rows in verified for row in rows)
    assert {said[0] for said in shell_said} == {"True", "False"}, "a shell came in either way"

    spends = ledger.query("SELECT * FROM spend ORDER BY asset")
    assert [spend["asset"] for spend in spends] == [
        *(f"toy/part{number}" for number in range(PARTS)),
        "toy/total",
    ]
    assert {spend["state"] for spend in spends} == {"settled"}
    assert [spend["flops"] for spend in spends] == [float(CHARGES)] * PARTS + [0.0]
    costly = spends[:PARTS]
    assert any(
        one["started_at"] < other["started_at"] < one["ended_at"]
        for one in costly
        for other in costly
    ), "no two steps ran at once"
    entries = ledger.query("SELECT kind, count(*) AS n FROM entry GROUP BY kind")
    counts = {entry["kind"]: entry["n"] for entry in entries}
    assert counts["reserve"] == counts["settle"] == PARTS + 1
    assert counts["extend"] >= PARTS  # each had reserved half of what it needs
    total = ledger.current("toy/total", "all")
    assert total is not None and total.json("total.json") == [sum(range(PARTS))]
    assert ledger.verify() == []
