"""Blocks computed by Ray are those that this process computes, also when a worker is killed."""

import os
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from places import REPOSITORY
from sevenths import PARTS, sevenths

from selection.basics.engine import HERE
from selection.basics.ray_engine import NoRay, OtherCode, RayEngine

# Not imported here: who imports it first says how its clusters are guarded.
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: the extra `ray`")

TWO = RayEngine(workers=2)


@needs_ray
def test_workers_of_ray_give_what_this_process_gives(tmp_path):
    charged: list[float] = []
    charged_there: list[float] = []
    here = sevenths(tmp_path / "here", HERE, charged)
    there = sevenths(tmp_path / "there", TWO, charged_there)
    assert np.array_equal(here["x"], there["x"])
    assert charged == charged_there == [float(part) for part in PARTS]
    workers = set(there["process"].tolist())
    assert os.getpid() not in workers and 1 <= len(workers) <= 2


@needs_ray
def test_a_block_whose_worker_is_killed_is_computed_again_and_charged_once(tmp_path):
    killed = tmp_path / "killed"

    def once_fatal(part, charge):
        if part == 5 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        charge(float(part))
        return {"x": np.full((part, 2), part / 7)}

    charged: list[float] = []
    found = sevenths(tmp_path / "blocks", TWO, charged, once_fatal)
    assert killed.exists()
    assert np.array_equal(found["x"], sevenths(tmp_path / "here", HERE, [])["x"])
    assert charged == [float(part) for part in PARTS]


@needs_ray
def test_what_fails_in_a_worker_is_raised_and_what_was_paid_for_is_kept(tmp_path):
    def fails(part, charge):
        if part == 7:
            raise ZeroDivisionError(f"part {part} fails")
        charge(float(part))
        return {"x": np.full((part, 2), part / 7)}

    before: list[float] = []
    after: list[float] = []
    with pytest.raises(ZeroDivisionError, match="part 7 fails"):
        sevenths(tmp_path, TWO, before, fails)
    found = sevenths(tmp_path, TWO, after)
    assert [*before, *after] == [float(part) for part in PARTS]
    assert found["resumed"] == sum(before)


@needs_ray
def test_no_more_items_are_taken_than_workers_are_busy_with():
    taken = []

    def items():
        for item in range(1_000):
            taken.append(item)
            yield item

    results = TWO.each(abs, items())
    assert next(results) == 0
    results.close()
    assert len(taken) <= 5


@needs_ray
def test_a_cluster_that_is_not_there_is_said():
    code = """
from selection.basics.ray_engine import RayEngine
list(RayEngine("127.0.0.1:1").each(abs, [1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert "NoRay: no Ray cluster at 127.0.0.1:1" in done.stderr


@needs_ray
def test_the_cluster_of_a_process_ends_with_it(tmp_path):
    code = """
import ray
from selection.basics.ray_engine import RayEngine
assert list(RayEngine(workers=1).each(abs, [-1, -2])) == [1, 2]
[node] = ray.nodes()
print(node["NodeManagerAddress"], node["NodeManagerPort"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    address, port = done.stdout.split()
    assert address == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection((address, int(port)), 5):
        pass


@needs_ray
def test_a_worker_with_other_code_computes_nothing(monkeypatch):
    monkeypatch.setattr("selection.basics.ray_engine.code_digest", lambda: "other")
    with pytest.raises(OtherCode, match="install the same there"):
        list(TWO.each(abs, [1, 2]))


def test_without_ray_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr("selection.basics.ray_engine.find_spec", lambda name: None)
    with pytest.raises(NoRay, match=r"selection-assets\[ray\]"):
        list(RayEngine().each(abs, [1]))
