"""Blocks are the same whoever computes them, and in whatever order they are done."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from places import REPOSITORY
from sevenths import PARTS, seventh, sevenths

from selection.basics.engine import HERE, LocalEngine


def test_two_workers_give_what_one_gives(tmp_path):
    charged: list[float] = []
    charged_beside: list[float] = []
    here = sevenths(tmp_path / "here", HERE, charged)
    beside = sevenths(tmp_path / "beside", LocalEngine(2), charged_beside)
    assert np.array_equal(here["x"], beside["x"])
    assert here["flops"] == beside["flops"] == sum(PARTS)
    assert charged == charged_beside == [float(part) for part in PARTS]
    assert set(here["process"].tolist()) == {os.getpid()}
    workers = set(beside["process"].tolist())
    assert os.getpid() not in workers and 1 <= len(workers) <= 2


def test_what_fails_in_a_worker_is_raised_and_what_was_paid_for_is_kept(tmp_path):
    before: list[float] = []
    after: list[float] = []

    succeeds = seventh()

    def fails(part, charge):
        if part == 7:
            raise RuntimeError(f"part {part} fails")
        return succeeds(part, charge)

    with pytest.raises(RuntimeError, match="part 7 fails"):
        sevenths(tmp_path, LocalEngine(2), before, fails)
    found = sevenths(tmp_path, LocalEngine(2), after)
    assert [*before, *after] == [float(part) for part in PARTS]
    assert found["resumed"] == sum(before)


def test_a_single_item_is_done_here():
    assert list(LocalEngine(4).each(lambda _: os.getpid(), [1])) == [os.getpid()]
    assert list(LocalEngine(4).each(lambda _: os.getpid(), [])) == []


def test_who_needs_no_more_is_not_warned_of_what_is_left(recwarn):
    results = LocalEngine(2).each(abs, range(1_000))
    assert next(results) == 0
    results.close()
    assert [str(warning.message) for warning in recwarn] == []


STOPPED = """
import time
from selection.basics.engine import LocalEngine

def slow(item):
    time.sleep(0.1)
    return item

try:
    for item in LocalEngine(2).each(slow, range(10_000)):
        print(item, flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_ctrl_c_ends_the_workers_without_a_word_from_them():
    run = subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "0\n"
    os.killpg(run.pid, signal.SIGINT)  # as a terminal sends it: to all of them
    said, complaints = run.communicate(timeout=60)
    assert said.splitlines()[-1] == "stopped"
    assert (complaints, run.returncode) == ("", 0)
