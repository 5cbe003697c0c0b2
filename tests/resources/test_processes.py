"""A process is told from any other: by its number, its start and where it runs."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from real_processes import Child, run

from resources.processes import Process, is_alive, started_at, this_process

WHO = """
import dataclasses, json
from resources.processes import this_process
print(json.dumps(dataclasses.astuple(this_process())))
"""


def test_a_killed_process_that_nobody_has_asked_after_counts_as_gone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_alive(process.pid)
        process.kill()
        until = time.monotonic() + 10
        while is_alive(process.pid):
            assert time.monotonic() < until
            time.sleep(0.01)
    assert is_alive(os.getpid())
    assert is_alive(1)


def test_a_process_that_took_a_number_over_is_another_one():
    ours = this_process()
    assert ours.started == started_at(os.getpid())
    assert ours.lives_here
    assert not replace(ours, started=ours.started - 1).lives_here
    assert is_alive(ours.pid)
    assert is_alive(ours.pid, ours.started)
    assert not is_alive(ours.pid, ours.started - 1)


def test_a_forked_process_is_another_one():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(this_process()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(read, 1000).decode()
    assert told.startswith("Process(")
    assert told != repr(this_process())


def test_what_lives_elsewhere_is_not_seen_to_live_here():
    ours = this_process()
    assert not replace(ours, host="elsewhere").lives_here
    assert not replace(ours, host="").is_here
    child = Child("input()")
    theirs = replace(ours, pid=child.pid, started=started_at(child.pid) or 0)
    assert theirs.lives_here
    child.shoot()
    assert not theirs.lives_here


def told_in(*options: str) -> Process:
    """What a process in namespaces of its own takes itself for."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    command = ["unshare", "--user", "--map-root-user", *options]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("unshare is not allowed here")
    script = (
        f"import subprocess, sys; subprocess.run({command!r} + [sys.executable, '-c', {WHO!r}])"
    )
    return Process(*json.loads(run(script)))


def test_a_process_whose_clock_is_another_is_not_here():
    """Its start is told by our clock: that of a process that lives would seem to be another's."""
    told = told_in("--time", "--boottime", "100000")
    assert told.pid > 2
    assert not told.is_here


@pytest.mark.parametrize("options", [["--mount-proc"], []], ids=["its own /proc", "our /proc"])
def test_a_process_of_another_namespace_is_not_here(options):
    told = told_in("--pid", "--fork", *options)
    assert told.pid in (1, 2)
    assert not told.is_here
    assert not told.lives_here
