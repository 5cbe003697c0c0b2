"""Blocks of numbers, computed by an engine, for tests of who computes them."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from selection.basics.blocks import Block, BlockStore, Charge, compute_in_blocks
from selection.basics.engine import Engine

PARTS = list(range(12))


Compute = Callable[[int, Charge], Block]


def seventh() -> Compute:
    """What computes a block, and says which process has; some take longer.

    It goes to other processes by value, which do not know where tests lie.
    """

    def compute(part: int, charge: Charge) -> Block:
        time.sleep(0.02 * (part % 3))
        charge(float(part))
        return {"x": np.full((part, 2), part / 7), "process": np.array([os.getpid()])}

    return compute


def sevenths(
    folder: Path, engine: Engine, charged: list[float], compute: Compute | None = None
) -> dict:
    """The blocks of `PARTS`, joined, with their FLOPs; notes what was charged, in order."""
    found = compute_in_blocks(
        BlockStore(folder, ["sevenths"]),
        PARTS,
        lambda part: [str(part)],
        compute or seventh(),
        charge=charged.append,
        engine=engine,
    )
    return {**found.arrays, "flops": found.flops, "resumed": found.resumed_flops}
