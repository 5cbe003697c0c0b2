"""Train a model with several processes of this machine, one for each of its devices.

They are transformers' Trainer over accelerate, each with its part of every step's rows; the process
that starts them counts what they spend, step by step.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tqdm import tqdm

from selection.budget.meter import Meter
from selection.models.checkpoints import step_of
from selection.models.parallel.asking import Answering
from selection.models.parallel.job import (
    ERROR,
    MEETING,
    METER,
    MODEL,
    RESULT,
    WEIGHTS,
    NonFiniteLoss,
    Trained,
    TrainingJob,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LOOK_SECONDS = 0.2
"""From one look at whether the processes live to the next."""
GRACE_SECONDS = 10.0
"""For a process to end by itself, once another one has failed."""
TOLD_LINES = 15


class Processes(Protocol):
    """How many processes, and what starts in them.

    Attributes
    ----------
    n : how many.
    sharded : see `TrainingJob`.
    module : run in each with a job's folder as argument, as `selection.models.training_worker` is.
    """

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def sharded(self) -> bool: ...  # noqa: D102
    @property
    def module(self) -> str: ...  # noqa: D102

    def environment(self) -> AbstractContextManager[Mapping[str, str]]:
        """What is to be added to their environment while they run."""
        ...


@dataclass(frozen=True)
class PlainProcesses:
    """Processes that report to nobody."""

    n: int
    sharded: bool = False
    module: str = "selection.models.training_worker"

    def environment(self) -> AbstractContextManager[Mapping[str, str]]:
        """Nothing."""
        return nullcontext({})


class TrainingFailed(RuntimeError):
    """A process that trained has ended before its work did."""


def train_together(
    job: TrainingJob, model: PreTrainedModel, processes: Processes, *, meter: Meter, progress: bool
) -> Trained:
    """Train a copy of the model; at the end its weights are those of `Trained.state`.

    Raises
    ------
    BudgetExhausted
        What the meter has raised when a step was to be charged.
    NonFiniteLoss
        As `run_trainer`.
    TrainingFailed
        With the last lines that a process has written, and where all of them are.
    """
    from safetensors.torch import load_file

    folder = job.work_dir / "together"
    shutil.rmtree(folder, ignore_errors=True)
    replace(job, sharded=processes.sharded).write(folder)
    model.save_pretrained(folder / MODEL)
    first = 0 if job.checkpoint is None else step_of(job.checkpoint)
    with ExitStack() as opened:
        # The name of a socket's file is short, and a store's folders lie deep.
        meeting = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="selection-")))
        answering = Answering(meeting / "meter", meter)
        opened.callback(answering.close)
        environment = {
            **os.environ,
            **opened.enter_context(processes.environment()),
            MEETING: str(meeting / "meeting"),
            METER: str(meeting / "meter"),
        }
        bar = tqdm(
            total=len(job.batches),
            initial=first,
            desc="training",
            unit="step",
            disable=not progress,
        )
        opened.callback(bar.close)
        with _started(folder, processes, environment, on_cuda=job.device == "cuda") as started:
            while any(one.poll() is None for one in started):
                answering.wait(LOOK_SECONDS)
                bar.update(first + answering.charged - bar.n)
                if any(one.poll() for one in started):  # the others wait for it in vain
                    break
    if answering.refused is not None:
        raise answering.refused
    if any(one.returncode for one in started):
        raise _failure(folder)
    told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    losses = [(step, loss) for step, loss in told["losses"]]
    state = load_file(folder / WEIGHTS) if told["stopped_before"] is None else None
    return Trained(losses, told["stopped_before"], state)


@contextmanager
def _started(
    folder: Path, processes: Processes, environment: Mapping[str, str], *, on_cuda: bool
) -> Iterator[list[subprocess.Popen]]:
    """Run the processes; at the end none of them is left."""
    threads = max(1, len(os.sched_getaffinity(0)) // processes.n)
    # Between processes of one machine nothing needs to be heard beyond it.
    local = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    if not on_cuda:
        # By accelerate it would be "cpu:0", where torch restores no optimiser's state.
        local |= {"ACCELERATE_TORCH_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        local |= {"OMP_NUM_THREADS": str(threads)}
    started: list[subprocess.Popen] = []
    with ExitStack() as logs:
        try:
            for rank in range(processes.n):
                log = logs.enter_context((folder / f"process_{rank}.log").open("w"))
                numbers = {"RANK": rank, "LOCAL_RANK": rank}
                sizes = {"WORLD_SIZE": processes.n, "LOCAL_WORLD_SIZE": processes.n}
                placed = {name: str(value) for name, value in {**numbers, **sizes}.items()}
                command = [sys.executable, "-m", processes.module, str(folder)]
                started.append(
                    subprocess.Popen(
                        command, env={**environment, **local, **placed}, stdout=log, stderr=log
                    )
                )
            yield started
        finally:
            _end(started)


def _end(started: list[subprocess.Popen]) -> None:
    """Wait for all to end: those of a failed training are asked to, and then made to."""
    failed = any(one.poll() != 0 for one in started)
    for one in started:
        if failed and one.poll() is None:
            one.terminate()
    for one in started:
        try:
            one.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def _failure(folder: Path) -> Exception:
    if (folder / ERROR).is_file():
        return NonFiniteLoss((folder / ERROR).read_text(encoding="utf-8"))
    logs = sorted(folder.glob("process_*.log"))
    # Of processes that failed, those that only lost touch with the first to fail say so at length.
    said = {log: log.read_text(encoding="utf-8", errors="replace").splitlines() for log in logs}
    worst = min(said, key=lambda log: "ProcessGroup" in "\n".join(said[log]))
    lines = "\n".join(said[worst][-TOLD_LINES:])
    return TrainingFailed(
        f"a process that trained has failed; the last lines of {worst}:\n{lines}\n"
        "Run again to go on from the last checkpoint"
    )
