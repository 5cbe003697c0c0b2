"""The part of training that speaks to transformers' Trainer: batches, loss, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.budget.meter import Meter
from selection.models.batches import pad_right
from selection.models.checkpoints import mark_complete
from selection.models.packing import IGNORED_LABEL
from selection.models.parallel.job import NonFiniteLoss, Trained, TrainingJob

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments

CHECK_EVERY = 10  # steps between looks at the losses: each look makes a GPU wait
STEP_LOSS = "step_loss"  # key of our entries in the Trainer's log history


def run_trainer(
    model: torch.nn.Module,
    job: TrainingJob,
    args: TrainingArguments,
    *,
    meter: Meter,
    progress: bool = False,
    processes: int = 1,
    say: Callable[[str], object] | None = None,
) -> Trained:
    """Train on the batches of a job in their order, from its checkpoint if it has one.

    Of several processes each computes its part of every batch, as wide as all of it, and a step's
    loss is that over all of them.

    Parameters
    ----------
    model : a transformers model, or a peft model, whose adapters are merged into its base.
    args : of one epoch with sequential sampling, a batch at a time.
    meter : charged for each step before it is taken. Where it does not afford the next one, a
        checkpoint is saved and training stops.
    processes : that train together; then weights are given back at the end, and the model is not
        merged.
    say : receives a line every few steps.

    Raises
    ------
    NonFiniteLoss
        With the step at which the loss became NaN or infinite.
    """
    from transformers import Trainer
    from transformers.trainer_callback import PrinterCallback

    pending: list[torch.Tensor] = []
    keeper = _loss_keeper(pending, job, progress, meter, say)

    def loss_of_batch(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor
    ) -> torch.Tensor:
        # a last block of one token may be alone in its batch, with nothing to predict
        loss = shifted_loss(outputs["logits"], labels) / num_items_in_batch.clamp(min=1)
        pending.append(loss.detach().clone())  # of several processes' the Trainer makes a multiple
        return loss

    def collate(one: list[int]) -> dict[str, Any]:
        [number] = one
        step, part = divmod(number, processes)
        batch = job.batches[step]
        width = max(len(ids) for ids, _ in batch)
        # Where there are fewer rows than processes one computes on padding alone: all must take
        # part in a step.
        mine = batch[part::processes] or [_NOTHING]
        # no attention mask: causal attention never looks right, where the padding is
        found: dict[str, Any] = {
            "input_ids": pad_right([ids for ids, _ in mine], job.pad_id, width),
            "labels": pad_right([labels for _, labels in mine], IGNORED_LABEL, width),
        }
        if job.places is not None:
            of_mine = job.places[step][part::processes] or [_NOTHING[0]]
            found["position_ids"] = pad_right(of_mine, 0, width)
            found["use_cache"] = False  # with one transformers would not look for rows in them
        return found

    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=range(len(job.batches) * processes),  # pyright: ignore[reportArgumentType]  (any sized sequence does)
        data_collator=collate,
        compute_loss_func=loss_of_batch,
        callbacks=[keeper],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = str(job.checkpoint) if job.checkpoint else None
    trainer.train(resume_from_checkpoint=checkpoint)
    logged = [entry for entry in trainer.state.log_history if STEP_LOSS in entry]
    losses = [(int(entry["step"]), entry[STEP_LOSS]) for entry in logged]
    if processes > 1:
        state: Any = None
        if keeper.stopped_before is None:
            state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        return Trained(losses, keeper.stopped_before, state)
    # takes bfloat16's autocast wrapper off the model's forward again
    trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False)
    if keeper.stopped_before is None:
        merged(model)
    return Trained(losses, keeper.stopped_before)


_NOTHING = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))


def merged(model: torch.nn.Module) -> None:
    """Merge the adapters of a peft model into its base; another model is left as it is."""
    from peft import PeftModel

    if isinstance(model, PeftModel):
        base = model.merge_and_unload()
        base.requires_grad_(True)  # peft froze it, and the next run may train all of it
        base.eval()


def shifted_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of the next-token losses in nats: logits (B, T, V), unshifted labels (B, T)."""
    from torch.nn.functional import cross_entropy, pad

    # the labels move, not the logits: cutting those would copy the largest tensor of a step twice
    return cross_entropy(
        logits.flatten(0, 1).float(),
        pad(labels[:, 1:], (0, 1), value=IGNORED_LABEL).flatten(),
        ignore_index=IGNORED_LABEL,
        reduction="sum",
    )


def _loss_keeper(
    pending: list[torch.Tensor],
    job: TrainingJob,
    progress: bool,
    meter: Meter,
    say: Callable[[str], object] | None,
) -> Any:
    """Make a callback that asks for each step, keeps its loss and marks checkpoints."""
    import torch
    from tqdm import tqdm
    from transformers import TrainerCallback

    class LossKeeper(TrainerCallback):
        stopped_before: int | None = None  # the step that the meter did not afford

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="training",
                unit="step",
                disable=not progress,
            )

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            meter.charge(float(job.step_flops[state.global_step]))

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.update()
            last = state.global_step >= state.max_steps
            if last:
                # the Trainer would save here; continuing from a finished run it trains on
                control.should_save = False
            elif not _agreed(meter.affords(float(job.step_flops[state.global_step])), args.device):
                self.stopped_before = state.global_step
                control.should_save = control.should_training_stop = True
            if last or control.should_save or len(pending) >= CHECK_EVERY:
                first = state.global_step - len(pending) + 1
                losses = _summed(torch.stack(pending)).tolist()
                for step, loss in enumerate(losses, start=first):
                    if not math.isfinite(loss):
                        raise NonFiniteLoss(
                            f"the loss is {loss} at step {step} of {state.max_steps}: lower the "
                            "learning rate, lengthen the warm-up, or look at the step's rows"
                        )
                    # the log history travels with the checkpoint, so a resumed run has all of it
                    state.log_history.append({"step": step, STEP_LOSS: loss})
                pending.clear()
                if say is not None:
                    say(f"step {state.global_step} of {state.max_steps}: loss {losses[-1]:.4f}")

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if torch.distributed.is_initialized():  # each process writes a part of it
                torch.distributed.barrier()
            if state.is_world_process_zero:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                mark_complete(folder, job.fingerprint)

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.close()

    return LossKeeper()


def _agreed(yes: bool, device: torch.device) -> bool:
    """What the first of several processes says, which alone is told."""
    import torch

    if not torch.distributed.is_initialized():
        return yes
    said = torch.tensor([int(yes)], device=device)
    torch.distributed.broadcast(said, src=0)
    return bool(said.item())


def _summed(losses: torch.Tensor) -> torch.Tensor:
    """The sum over several processes, of shape (n,)."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(losses)
    return losses
