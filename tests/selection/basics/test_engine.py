"""Blocks are the same whoever computes them, and in whatever order they are done."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from selection.basics.blocks import BlockStore, compute_in_blocks
from selection.basics.engine import HERE, Engine

PARTS = list(range(12))


def computed(
    folder: Path, engine: Engine, charged: list[float], dies_at: int | None = None
) -> dict:
    """Blocks of numbers, of which some take longer; notes what was charged, in order."""

    def compute(part, charge):
        if part == dies_at:
            raise RuntimeError(f"part {part} fails")
        time.sleep(0.02 * (part % 3))
        charge(float(part))
        return {"x": np.full((part, 2), part / 7), "process": np.array([os.getpid()])}

    found = compute_in_blocks(
        BlockStore(folder, ["sevenths"]),
        PARTS,
        lambda part: [str(part)],
        compute,
        charge=charged.append,
        engine=engine,
    )
    return {**found.arrays, "flops": found.flops, "resumed": found.resumed_flops}


def test_two_workers_give_what_one_gives(tmp_path):
    charged: list[float] = []
    charged_beside: list[float] = []
    here = computed(tmp_path / "here", HERE, charged)
    beside = computed(tmp_path / "beside", Engine(2), charged_beside)
    assert np.array_equal(here["x"], beside["x"])
    assert here["flops"] == beside["flops"] == sum(PARTS)
    assert charged == charged_beside == [float(part) for part in PARTS]
    assert set(here["process"].tolist()) == {os.getpid()}
    workers = set(beside["process"].tolist())
    assert os.getpid() not in workers and 1 <= len(workers) <= 2


def test_what_fails_in_a_worker_is_raised_and_what_was_paid_for_is_kept(tmp_path):
    before: list[float] = []
    after: list[float] = []
    with pytest.raises(RuntimeError, match="part 7 fails"):
        computed(tmp_path, Engine(2), before, dies_at=7)
    found = computed(tmp_path, Engine(2), after)
    assert [*before, *after] == [float(part) for part in PARTS]
    assert found["resumed"] == sum(before)


def test_a_single_item_is_done_here():
    assert list(Engine(4).each(lambda _: os.getpid(), [1])) == [os.getpid()]
    assert list(Engine(4).each(lambda _: os.getpid(), [])) == []
