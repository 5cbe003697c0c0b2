"""Train a decoder on packed blocks or rendered examples; a restart continues where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.budget.meter import UNMETERED, BudgetExhausted, Meter
from selection.models.base import with_adapters
from selection.models.batches import tokens_of, training_batches, training_rows, widths_of
from selection.models.checkpoints import last_complete, rows_digest, step_of, weights_digest
from selection.models.packing import IGNORED_LABEL, PackedBlocks, PaddedRows
from selection.models.parallel.job import Trained, TrainingJob
from selection.models.parallel.together import Processes, train_together
from selection.models.quiet import quiet_transformers
from selection.models.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, TrainingArguments


@dataclass(frozen=True)
class TrainingResult:
    """What a run did, from its first step, whichever process ran it.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    tokens, tokens_processed : int
        Tokens the model saw, without and with padding (a row counts once per epoch).
    tokens_trained : int
        Those of `tokens` whose prediction is the loss.
    tokens_resumed : int
        Those of `tokens_processed` that an earlier process had computed on.
    flops, resumed_flops : float
        Price of all steps, and of those that an earlier process had taken.
    losses : list of (int, float)
        Step from 1, and its mean loss in nats per predicted token; 0.0 for a step without one (a
        last block of a single token, alone in its batch).
    final_loss : float
        Loss of the last step's batch (before its update).
    """

    steps: int
    tokens: int
    tokens_processed: int
    tokens_trained: int
    tokens_resumed: int
    flops: float
    resumed_flops: float
    losses: list[tuple[int, float]]
    final_loss: float


def train(
    model: PreTrainedModel,
    dataset: PackedBlocks | PaddedRows | Sequence[tuple[Sequence[int], Sequence[int]]],
    recipe: Recipe,
    *,
    work_dir: Path,
    pad_id: int,
    device: str,
    save_steps: int | None = None,
    progress: bool = False,
    meter: Meter = UNMETERED,
    price: Callable[[np.ndarray], float] = lambda widths: 0.0,
    processes: Processes | None = None,
) -> TrainingResult:
    """Train `model` in place with transformers' Trainer.

    Parameters
    ----------
    model : PreTrainedModel
        Float32 weights, as `load_model` and `new_model` give them; left in evaluation mode on
        `device`, LoRA merged.
    dataset : PackedBlocks, PaddedRows or sequence of (ids, loss_mask)
        From `pack`, `fill_rows` or `render_all`.
    recipe : Recipe
        How to train.
    work_dir : Path
        Scratch for checkpoints. Rerun with the same arguments and the newest whole checkpoint is
        continued from, to the same final weights as an uninterrupted run.
    pad_id : int
        Fills short rows; never attended to (padding is on the right) and never trained on.
    device : {"cpu", "cuda"}
        "cuda" means the one visible GPU, or one for each process.
    save_steps : int, optional
        Checkpoint every so many steps; none by default.
    progress : bool
        Show a progress bar.
    meter : Meter
        Charged for each step before it is taken. Where it does not afford the next one, a
        checkpoint is saved and training stops.
    price : callable
        FLOPs of training on rows that are computed so many tokens wide, (n,) int.
    processes : Processes, optional
        That train together, each with its part of every step's rows; by default this one alone.
        However many there are, they go on from the same checkpoints, to the same losses but for
        the order in which numbers are summed.

    Raises
    ------
    BudgetExhausted
        When the meter stopped it; run again, it continues from the checkpoint.
    NonFiniteLoss
        With the step at which the loss became NaN or infinite.
    ValueError
        For an empty dataset, a row with nothing to train on, an unavailable device, or a `work_dir`
        that holds another run's checkpoints.
    """
    rows, lengths = training_rows(dataset)
    widths = np.array([len(ids) for ids, _ in rows])
    batches = training_batches(widths, recipe, by_width=isinstance(dataset, PaddedRows))
    # Of rows that are laid apart in blocks; elsewhere places are those of the sequence.
    places = None if isinstance(dataset, Sequence) else dataset.places
    fingerprint = _fingerprint(model, rows, recipe, pad_id, places)
    checkpoint = last_complete(work_dir, fingerprint)
    step_tokens = tokens_of(batches, widths)
    step_flops = np.array([price(of_step) for of_step in widths_of(batches, widths)])
    resumed_from = step_of(checkpoint) if checkpoint else 0
    job = TrainingJob(
        batches=[[rows[i] for i in batch] for batch in batches],
        places=None if places is None else [[places[i] for i in batch] for batch in batches],
        step_flops=step_flops,
        recipe=recipe,
        pad_id=pad_id,
        fingerprint=fingerprint,
        work_dir=work_dir,
        checkpoint=checkpoint,
        device=device,
        save_steps=save_steps,
    )
    if processes is None:
        trained = run_job(job, model, meter=meter, progress=progress)
    else:
        trained = train_together(job, model, processes, meter=meter, progress=progress)
        if trained.state is not None:
            _take_over(model, recipe, trained.state)
    model.eval()
    if trained.stopped_before is not None:
        # Refuses by itself, and says what is left; what is left may have grown since.
        meter.charge(float(step_flops[trained.stopped_before]))
        raise BudgetExhausted(
            f"training stopped before step {trained.stopped_before + 1} of {len(step_flops)}, for"
            " which the budget had no room just then; run again to go on from its checkpoint"
        )
    order = np.concatenate(batches)
    n_trained = np.array([(labels != IGNORED_LABEL).sum() for _, labels in rows])
    return TrainingResult(
        steps=len(batches),
        tokens=int(lengths[order].sum()),
        tokens_trained=int(n_trained[order].sum()),
        tokens_processed=int(step_tokens.sum()),
        tokens_resumed=int(step_tokens[:resumed_from].sum()),
        flops=sum(step_flops.tolist()),
        resumed_flops=sum(step_flops[:resumed_from].tolist()),
        losses=trained.losses,
        final_loss=trained.losses[-1][1],
    )


def run_job(
    job: TrainingJob,
    model: PreTrainedModel,
    *,
    meter: Meter,
    progress: bool = False,
    processes: int = 1,
    say: Callable[[str], object] | None = None,
) -> Trained:
    """Do a job in this process, or this process's part of it.

    Parameters
    ----------
    model : trained in place, where this process is the only one.
    processes : that do it together, each of which calls this.
    say : receives a line every few steps.
    """
    from selection.models.trainer_loop import run_trainer

    use_cache = model.config.use_cache  # the Trainer switches it off in the config for good
    with _deterministic(job.device), quiet_transformers():
        trained = run_trainer(
            _with_lora(model, job.recipe),
            job,
            _arguments(job, processes),
            progress=progress,
            meter=meter,
            processes=processes,
            say=say,
        )
    model.config.use_cache = use_cache
    return trained


def _take_over(model: PreTrainedModel, recipe: Recipe, state: dict[str, torch.Tensor]) -> None:
    """Give the model the weights that other processes have trained."""
    from selection.models.trainer_loop import merged

    wrapped = _with_lora(model, recipe)
    wrapped.load_state_dict(state)
    merged(wrapped)


def _fingerprint(
    model: PreTrainedModel,
    rows: list[Any],
    recipe: Recipe,
    pad_id: int,
    places: Sequence[np.ndarray] | np.ndarray | None,
) -> str:
    digests: list[Any] = [weights_digest(model), rows_digest(rows)]
    parts = [*digests, dataclasses.asdict(recipe), pad_id]
    if places is not None:
        parts.append(rows_digest((part, part) for part in places))
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _with_lora(model: PreTrainedModel, recipe: Recipe) -> torch.nn.Module:
    if recipe.lora_rank is None:
        return model
    return with_adapters(model, rank=recipe.lora_rank, seed=recipe.seed)


def _arguments(job: TrainingJob, processes: int) -> TrainingArguments:
    from transformers import TrainingArguments

    recipe, device = job.recipe, job.device
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device!r}")
    if job.sharded and device != "cuda":
        raise ValueError(
            "a model is sharded over GPUs only, and this machine trains on its processors: leave"
            " `sharded` out of the project's `training`"
        )
    args = TrainingArguments(
        output_dir=str(job.work_dir),
        num_train_epochs=1,  # the epochs are in the order of the rows
        train_sampling_strategy="sequential",
        per_device_train_batch_size=1,  # of what we have put into batches
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(recipe.warmup_ratio * len(job.batches)),
        bf16=recipe.precision == "bfloat16",
        seed=recipe.seed,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        remove_unused_columns=False,
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        save_strategy="no" if job.save_steps is None else "steps",
        save_steps=job.save_steps or 1,
        ddp_find_unused_parameters=False,
        fsdp="full_shard auto_wrap" if job.sharded else None,
        # One file of whole weights, from which any number of processes goes on.
        fsdp_config={"fsdp_version": 2, "state_dict_type": "FULL_STATE_DICT"}
        if job.sharded
        else None,
    )
    if args.device.type != device or args.n_gpu > 1:
        raise ValueError(
            f"asked for {device!r} but torch offers {args.device} with {args.n_gpu} GPUs; train on"
            f" all of them with `training: {{processes: {args.n_gpu}}}` in project.yaml, or choose"
            " one with CUDA_VISIBLE_DEVICES, or device='cpu'"
        )
    if args.world_size != processes:
        raise ValueError(f"{processes} processes are to train and torch knows {args.world_size}")
    return args


@contextlib.contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """Only deterministic kernels inside; an operation that has none raises."""
    import torch

    if device == "cuda":  # cuBLAS refuses to be deterministic without a fixed workspace
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
