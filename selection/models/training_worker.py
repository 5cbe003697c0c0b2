"""One of the processes that train a model together, run as a module with the folder of a job.

They find each other through a file, and nothing listens beyond this machine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from selection.budget.meter import UNMETERED, Meter
from selection.models.parallel.asking import AskingMeter
from selection.models.parallel.job import (
    ERROR,
    MEETING,
    METER,
    MODEL,
    RESULT,
    WEIGHTS,
    NonFiniteLoss,
    TrainingJob,
)


def work(folder: Path, say: Callable[[str], object] = lambda line: None) -> None:
    """Do this process's part of a job, and write what came of it where it is the first one.

    Parameters
    ----------
    say : receives a line every few steps.
    """
    import torch
    import torch.distributed as dist
    from safetensors.torch import save_file

    from selection.models.base import load_model
    from selection.models.training import run_job

    rank, n = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    job = TrainingJob.read(folder)
    if job.device == "cuda":
        torch.cuda.set_device(rank)
    backend = "gloo" if job.device == "cpu" else "cpu:gloo,cuda:nccl"
    dist.init_process_group(
        backend, init_method=f"file://{os.environ[MEETING]}", rank=rank, world_size=n
    )
    meter: Meter = AskingMeter(Path(os.environ[METER])) if rank == 0 else UNMETERED
    try:
        found = run_job(
            job,
            load_model(folder / MODEL),
            meter=meter,
            processes=n,
            say=say if rank == 0 else None,
        )
    except NonFiniteLoss as error:
        if rank == 0:
            (folder / ERROR).write_text(str(error), encoding="utf-8")
        raise
    if rank == 0 and found.state is not None:
        # Weights that are tied are written as often as they have names.
        weights = {name: tensor.cpu().clone() for name, tensor in found.state.items()}
        save_file(weights, folder / WEIGHTS)
    if rank == 0:
        told = {"losses": found.losses, "stopped_before": found.stopped_before}
        (folder / RESULT).write_text(json.dumps(told), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    work(Path(sys.argv[1]))
