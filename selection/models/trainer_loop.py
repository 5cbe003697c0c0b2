"""The part of training that speaks to transformers' Trainer: batches, loss, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.budget.meter import BudgetExhausted, Meter
from selection.models.batches import pad_right
from selection.models.checkpoints import mark_complete
from selection.models.packing import IGNORED_LABEL

if TYPE_CHECKING:
    import torch
    from transformers import TrainerCallback, TrainingArguments

CHECK_EVERY = 10  # steps between looks at the losses: each look makes a GPU wait
STEP_LOSS = "step_loss"  # key of our entries in the Trainer's log history


class NonFiniteLoss(ValueError):
    """The loss became NaN or infinite; no checkpoint was written since."""


def run_trainer(
    model: torch.nn.Module,
    rows: list[tuple[np.ndarray, np.ndarray]],
    args: TrainingArguments,
    *,
    pad_id: int,
    fingerprint: str,
    checkpoint: Path | None,
    progress: bool,
    meter: Meter,
    step_flops: np.ndarray,
) -> list[tuple[int, float]]:
    """Train on the rows in their order, from `checkpoint` if given.

    Parameters
    ----------
    model : Module
        A transformers model, or a peft model, whose adapters are merged into its base at the end.
    rows : list of (ids, labels)
        int32 arrays; labels are unshifted with -100 where nothing is predicted.
    args : TrainingArguments
        One epoch, sequential sampling.
    pad_id : int
        Fills short rows on the right.
    fingerprint : str
        Written into each checkpoint's marker.
    checkpoint : Path or None
        A whole checkpoint of the same run.
    progress : bool
        Show a progress bar.
    meter : Meter
        Charged for each step before it is taken.
    step_flops : ndarray of shape (steps,), float64
        What each step costs.

    Raises
    ------
    BudgetExhausted
        When the meter has stopped it, after a checkpoint was saved.

    Returns
    -------
    list of (int, float)
        Step and loss of every step, those before the checkpoint included.
    """
    from peft import PeftModel
    from transformers import Trainer
    from transformers.trainer_callback import PrinterCallback

    pending: list[torch.Tensor] = []
    allowance = _Allowance(meter, step_flops)

    def loss_of_batch(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor
    ) -> torch.Tensor:
        # a last block of one token may be alone in its batch, with nothing to predict
        loss = shifted_loss(outputs["logits"], labels) / num_items_in_batch.clamp(min=1)
        pending.append(loss.detach())
        return loss

    def collate(batch: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, torch.Tensor]:
        # no attention mask: causal attention never looks right, where the padding is
        return {
            "input_ids": pad_right([ids for ids, _ in batch], pad_id),
            "labels": pad_right([labels for _, labels in batch], IGNORED_LABEL),
        }

    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=rows,  # pyright: ignore[reportArgumentType]  (any sized sequence does)
        data_collator=collate,
        compute_loss_func=loss_of_batch,
        callbacks=[_loss_keeper(pending, fingerprint, progress, allowance)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if allowance.stopped_before is not None:
        step = allowance.stopped_before
        # Refuses by itself, and says what is left; what is left may have grown since.
        meter.charge(float(step_flops[step]))
        raise BudgetExhausted(
            f"training stopped before step {step + 1} of {len(step_flops)}, for which the budget"
            " had no room just then; run again to go on from its checkpoint"
        )
    # takes bfloat16's autocast wrapper off the model's forward again
    trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False)
    if isinstance(model, PeftModel):
        base = model.merge_and_unload()
        base.requires_grad_(True)  # peft froze it, and the next run may train all of it
        base.eval()
    model.eval()
    return [(int(e["step"]), e[STEP_LOSS]) for e in trainer.state.log_history if STEP_LOSS in e]


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


class _Allowance:
    """Asks the meter for each step, and remembers where it said no."""

    def __init__(self, meter: Meter, step_flops: np.ndarray) -> None:
        self._meter = meter
        self._step_flops = step_flops
        self.stopped_before: int | None = None

    def begin(self, step: int) -> None:
        self._meter.charge(float(self._step_flops[step]))

    def must_stop_before(self, step: int) -> bool:
        if not self._meter.affords(float(self._step_flops[step])):
            self.stopped_before = step
        return self.stopped_before is not None


def _loss_keeper(
    pending: list[torch.Tensor], fingerprint: str, progress: bool, allowance: _Allowance
) -> TrainerCallback:
    """Make a callback that asks for each step, keeps its loss and marks checkpoints."""
    import torch
    from tqdm import tqdm
    from transformers import TrainerCallback

    class LossKeeper(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="training",
                unit="step",
                disable=not progress,
            )

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            allowance.begin(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.update()
            last = state.global_step >= state.max_steps
            if last:
                # the Trainer would save here; continuing from a finished run it trains on
                control.should_save = False
            elif allowance.must_stop_before(state.global_step):
                control.should_save = control.should_training_stop = True
            if last or control.should_save or len(pending) >= CHECK_EVERY:
                first = state.global_step - len(pending) + 1
                for step, loss in enumerate(torch.stack(pending).tolist(), start=first):
                    if not math.isfinite(loss):
                        raise NonFiniteLoss(
                            f"the loss is {loss} at step {step} of {state.max_steps}: lower the "
                            "learning rate, lengthen the warm-up, or look at the step's rows"
                        )
                    # the log history travels with the checkpoint, so a resumed run has all of it
                    state.log_history.append({"step": step, STEP_LOSS: loss})
                pending.clear()

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            mark_complete(folder, fingerprint)

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.close()

    return LossKeeper()
