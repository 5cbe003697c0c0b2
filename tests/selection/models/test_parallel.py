"""Several processes train as one does, are charged step by step, and leave nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from selection.budget.meter import BudgetExhausted
from selection.models.base import new_model, tiny_config
from selection.models.checkpoints import weights_digest
from selection.models.parallel.job import NonFiniteLoss, TrainingJob
from selection.models.parallel.together import PlainProcesses, TrainingFailed
from selection.models.recipe import Recipe
from selection.models.training import train

TWO = PlainProcesses(2)
# Of numbers that are summed in another order, in float32.
CLOSE = {"rtol": 0, "atol": 1e-5}
RNG = np.random.default_rng(0)
# Of several widths, and one left over: a step of one row, of which the second process has none.
ROWS = [
    (ids, [1] * len(ids)) for n in RNG.integers(4, 24, size=22) for ids in [RNG.integers(2, 90, n)]
]
FULL = Recipe(epochs=1, batch_size=3, learning_rate=3e-3)
LORA = Recipe(epochs=1, batch_size=3, learning_rate=1e-2, lora_rank=4)


def model() -> Any:
    config = tiny_config(
        "llama", width=16, layers=2, heads=2, ffn_width=32, vocabulary=100, sequence_length=32
    )
    return new_model(config, seed=0)


def run(trained: Any, work_dir: Path, recipe: Recipe = FULL, **options: Any):
    return train(
        trained,
        ROWS,
        recipe,
        work_dir=work_dir,
        pad_id=1,
        device="cpu",
        price=lambda widths: float(widths.sum()),
        **options,
    )


class UpTo:
    """A meter with room for some steps, which keeps what it was charged."""

    def __init__(self, steps: int) -> None:
        self.steps, self.charged = steps, list[float]()

    def affords(self, flops: float) -> bool:
        return len(self.charged) < self.steps

    def charge(self, flops: float) -> None:
        if not self.affords(flops):
            raise BudgetExhausted(f"no room for {flops:g}")
        self.charged.append(flops)


def assert_the_same(found: Any, expected: Any, trained: Any, alone: Any) -> None:
    assert [step for step, _ in found.losses] == [step for step, _ in expected.losses]
    losses = ([loss for _, loss in one.losses] for one in (found, expected))
    np.testing.assert_allclose(*losses, **CLOSE)
    theirs = alone.state_dict()
    for name, weights in trained.state_dict().items():
        torch.testing.assert_close(weights, theirs[name], **CLOSE)


def test_a_budget_stops_two_and_one_goes_on_to_the_same_losses(tmp_path):
    """And each step is charged once, before it is taken, whoever takes it."""
    alone, trained = model(), model()
    expected = run(alone, tmp_path / "alone")
    meter = UpTo(5)
    with pytest.raises(BudgetExhausted, match="no room for"):
        run(trained, tmp_path / "together", processes=TWO, meter=meter)
    assert len(meter.charged) == 5
    assert [p.name for p in (tmp_path / "together").glob("checkpoint-*")] == ["checkpoint-5"]
    rest, again = UpTo(99), model()
    found = run(again, tmp_path / "together", meter=rest)
    assert meter.charged + rest.charged == pytest.approx([*_prices(tmp_path / "together")])
    assert found.resumed_flops == sum(meter.charged)
    assert_the_same(found, expected, again, alone)


def _prices(work_dir: Path) -> np.ndarray:
    return TrainingJob.read(work_dir / "together").step_flops


@pytest.mark.slow
def test_one_is_stopped_and_two_go_on_with_adapters(tmp_path):
    alone, trained = model(), model()
    expected = run(alone, tmp_path / "alone", LORA)
    with pytest.raises(BudgetExhausted):
        run(model(), tmp_path / "together", LORA, meter=UpTo(3))
    found = run(trained, tmp_path / "together", LORA, processes=TWO)
    assert_the_same(found, expected, trained, alone)
    assert weights_digest(trained) != weights_digest(model())


@pytest.mark.slow
def test_three_processes_take_steps_of_one_row(tmp_path):
    alone, trained = model(), model()
    expected = run(alone, tmp_path / "alone")
    found = run(trained, tmp_path / "together", processes=PlainProcesses(3))
    assert_the_same(found, expected, trained, alone)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_its_step(tmp_path):
    with pytest.raises(NonFiniteLoss, match="at step"):
        run(model(), tmp_path, Recipe(batch_size=3, learning_rate=1e30), processes=TWO)


def test_what_fails_in_a_process_is_told(tmp_path):
    broken = PlainProcesses(2, module="selection.no_such_module")
    with pytest.raises(TrainingFailed, match=r"process_0\.log:\n.*no_such_module"):
        run(model(), tmp_path, processes=broken)


ENDLESS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_parallel import TWO, Recipe, model, run
run(model(), Path(sys.argv[1]), Recipe(epochs=100_000, batch_size=3), processes=TWO)
"""


@pytest.mark.slow
def test_processes_end_when_the_one_that_counts_is_killed(tmp_path):
    """Nothing is spent that nobody counts."""
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, env=os.environ) as driver:
        children = wait_for(
            lambda: psutil.Process(driver.pid).children(), lambda found: len(found) == 2
        )
        wait_for(lambda: children[0].num_threads(), lambda n: n > 1)
        time.sleep(5)
        driver.send_signal(signal.SIGKILL)
    gone, left = psutil.wait_procs(children, timeout=60)
    assert len(gone) == 2 and not left


def wait_for(look: Any, enough: Any) -> Any:
    for _ in range(600):
        if enough(found := look()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"still {found}")
