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
    from transformers import TrainingArguments

CHECK_EVERY = 10  # steps between looks at the losses: each look makes a GPU wait
STEP_LOSS = "step_loss"  # key of our entries in the Trainer's log history


class NonFiniteLoss(ValueError):
    """The loss became NaN or infinite; no checkpoint was written since."""


def run_trainer(
    model: torch.nn.Module,
    batches: list[list[tuple[np.ndarray, np.ndarray]]],
    args: TrainingArguments,
    *,
    places: list[list[np.ndarray]] | None = None,
    pad_id: int,
    fingerprint: str,
    checkpoint: Path | None,
    progress: bool,
    meter: Meter,
    step_flops: np.ndarray,
) -> list[tuple[int, float]]:
    """Train on the batches in their order, from `checkpoint` if given.

    Parameters
    ----------
    model : a transformers model, or a peft model, whose adapters are merged into its base.
    batches : of rows (ids, labels), int32; labels are unshifted, -100 where nothing is predicted.
    args : of one epoch with sequential sampling, a batch at a time.
    places : of each row's tokens, where rows share a sequence that they are not to see each other
        in.
    fingerprint : written into each checkpoint's marker.
    meter : charged for each step before it is taken.
    step_flops : float64 of shape (steps,), what each step costs.

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
    keeper = _loss_keeper(pending, fingerprint, progress, meter, step_flops)

    def loss_of_batch(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor
    ) -> torch.Tensor:
        # a last block of one token may be alone in its batch, with nothing to predict
        loss = shifted_loss(outputs["logits"], labels) / num_items_in_batch.clamp(min=1)
        pending.append(loss.detach())
        return loss

    def collate(one: list[int]) -> dict[str, Any]:
        [step] = one
        batch = batches[step]
        # no attention mask: causal attention never looks right, where the padding is
        return {
            "input_ids": pad_right([ids for ids, _ in batch], pad_id),
            "labels": pad_right([labels for _, labels in batch], IGNORED_LABEL),
            # With a cache transformers would not look for rows in the places.
            **({} if places is None else {"position_ids": pad_right(places[step], 0)}),
            **({} if places is None else {"use_cache": False}),
        }

    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=range(len(batches)),  # pyright: ignore[reportArgumentType]  (any sized sequence does)
        data_collator=collate,
        compute_loss_func=loss_of_batch,
        callbacks=[keeper],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    step = keeper.stopped_before
    if step is not None:
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


def _loss_keeper(
    pending: list[torch.Tensor],
    fingerprint: str,
    progress: bool,
    meter: Meter,
    step_flops: np.ndarray,
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
            meter.charge(float(step_flops[state.global_step]))

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.update()
            last = state.global_step >= state.max_steps
            if last:
                # the Trainer would save here; continuing from a finished run it trains on
                control.should_save = False
            elif not meter.affords(float(step_flops[state.global_step])):
                self.stopped_before = state.global_step
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
