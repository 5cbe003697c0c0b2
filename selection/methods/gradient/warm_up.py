"""Warm the selector's adapters up on a sample of the pool, one checkpoint an epoch (LESS).

The loop is written out because what it leaves behind is the science: the adapters' weights, Adam's
moments and the learning rates of every epoch decide what a row's influence is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selection.basics.whole_files import write_bytes_whole
from selection.budget.meter import BudgetExhausted, Meter
from selection.methods.gradient.adam import BETAS
from selection.methods.gradient.lora import Adapted
from selection.methods.gradient.tokens import stack, step_parts
from selection.models.packing import IGNORED_LABEL
from selection.models.windows import WindowedRow, window_lengths

if TYPE_CHECKING:
    import torch

RISING_SHARE = 0.03
_STOPPED = "stopped.safetensors"


@dataclass(frozen=True)
class Schedule:
    """What a warm-up will do, known before it starts.

    Attributes
    ----------
    batches : of every step, the places of its rows.
    learning_rates : np.ndarray of shape (steps,), float64
    epochs : C, and how many checkpoints there will be; all of the same number of steps.
    """

    batches: list[np.ndarray]
    learning_rates: np.ndarray
    epochs: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two checkpoints."""
        return len(self.batches) // self.epochs

    def mean_rates(self) -> np.ndarray:
        """Mean learning rate of each epoch: (C,) float64."""
        return self.learning_rates.reshape(self.epochs, -1).mean(axis=1)

    def widths(self, lengths: np.ndarray, longest: int) -> list[np.ndarray]:
        """Tokens that the windows of each step's rows are computed with.

        Parameters
        ----------
        lengths : tokens of each row in all its windows.
        """
        widths = []
        for some in self.batches:
            of_step = window_lengths(lengths[some], longest)
            parts = [np.full(len(part), wide) for part, wide in step_parts(of_step, longest)]
            widths.append(np.concatenate(parts))
        return widths


def plan_schedule(
    n_rows: int, *, epochs: int, batch_size: int, learning_rate: float, seed: int
) -> Schedule:
    """Draw the order of each epoch; the rate rises over 3 % of the steps and falls linearly.

    Raises
    ------
    ValueError
        Without rows.
    """
    if n_rows < 1:
        raise ValueError("there is no row to warm the selector up on: the pool is empty")
    cuts = np.arange(batch_size, n_rows, batch_size)
    batches: list[np.ndarray] = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(n_rows)
        batches += np.split(order, cuts)
    steps = len(batches)
    rising = math.ceil(RISING_SHARE * steps)
    step = np.arange(steps)
    shares = np.minimum((step + 1) / rising, (steps - step) / max(1, steps - rising))
    return Schedule(batches, learning_rate * shares, epochs)


@dataclass(frozen=True)
class WarmUp:
    """What a warm-up left.

    Attributes
    ----------
    checkpoints : one dict an epoch: "weights", "first_moment" and "second_moment", (P,) float32,
        in the layout of `Adapted`.
    losses : np.ndarray of shape (steps,), float64
        Mean token loss of each step's batch in nats, before its update.
    resumed_steps : steps that an earlier attempt had taken.
    """

    checkpoints: list[dict[str, np.ndarray]]
    losses: np.ndarray
    resumed_steps: int


def warm_up_adapters(
    adapted: Adapted,
    rows: Sequence[WindowedRow],
    schedule: Schedule,
    *,
    longest: int,
    work: Path,
    step_flops: Sequence[float],
    meter: Meter,
    report: Callable[[str], None],
    advance: Callable[[int], object],
) -> WarmUp:
    """Train the adapters with Adam (no weight decay, no clipping: the moments are the gradients').

    A checkpoint is kept in `work` after every epoch, and where the meter stops; the next attempt
    goes on from the last of them, to the same arrays.

    Raises
    ------
    BudgetExhausted
        When the meter stops it.
    ValueError
        With the step at which the loss is not finite.
    """
    import torch

    states = [work / f"checkpoint_{epoch}.safetensors" for epoch in range(schedule.epochs)]
    start, losses = 0, np.zeros(len(schedule.batches))
    weights = adapted.initial_weights()
    optimiser = torch.optim.AdamW([weights.requires_grad_()], betas=BETAS, weight_decay=0.0)
    found = _furthest([*states, work / _STOPPED])
    if found is not None:
        start, losses = int(found["step"]), found["losses"]
        _restore(weights, optimiser, found)
        report(f"warm-up goes on after step {start} of {len(losses)}")
    advance(sum(map(len, schedule.batches[:start])))
    for step in range(start, len(losses)):
        try:
            meter.charge(step_flops[step])
        except BudgetExhausted:
            if step > start:
                _keep(work / _STOPPED, weights, optimiser, step, losses)
            raise
        some = schedule.batches[step]
        for group in optimiser.param_groups:
            group["lr"] = float(schedule.learning_rates[step])
        optimiser.zero_grad()
        losses[step] = _add_gradients(adapted, weights, [rows[i] for i in some], longest)
        if not math.isfinite(losses[step]):
            raise ValueError(
                f"the warm-up's loss is {losses[step]} at step {step + 1} of {len(losses)}: "
                "lower learning_rate, or use another selector"
            )
        optimiser.step()
        advance(len(some))
        epoch, rest = divmod(step + 1, schedule.steps_per_epoch)
        if rest == 0:
            _keep(states[epoch - 1], weights, optimiser, step + 1, losses)
            mean = losses[step + 1 - schedule.steps_per_epoch : step + 1].mean()
            report(f"warm-up epoch {epoch} of {schedule.epochs}: mean loss {mean:.4f} nats")
    return WarmUp([_weights_and_moments(file) for file in states], losses, start)


def _add_gradients(
    adapted: Adapted, weights: torch.Tensor, rows: list[WindowedRow], longest: int
) -> float:
    """Add the gradient of the mean loss of the rows' predicted tokens, and give that loss in nats.

    A part of the rows' windows at a time: the sum is the same, and rows may be of any length.
    """
    from torch.func import functional_call
    from torch.nn.functional import cross_entropy

    windows = [window for row in rows for window in row.windows]
    n_predicted = sum(row.n_measured for row in rows)
    lengths, mean = np.array([len(window.ids) for window in windows]), 0.0
    for part, width in step_parts(lengths, longest):
        ids, following = stack([windows[i] for i in part], width, adapted.device)
        named = adapted.named(weights)
        output = functional_call(adapted.model, named, (ids,), {"use_cache": False})
        total = cross_entropy(
            output.logits.flatten(0, 1).float(),
            following.flatten(),
            ignore_index=IGNORED_LABEL,
            reduction="sum",
        )
        loss = total / n_predicted
        loss.backward()
        mean += loss.item()
    return mean


def _keep(
    file: Path,
    weights: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    step: int,
    losses: np.ndarray,
) -> None:
    from safetensors.numpy import save

    state = optimiser.state[weights]
    arrays = {
        "weights": weights.detach().cpu().numpy(),
        "first_moment": state["exp_avg"].cpu().numpy(),
        "second_moment": state["exp_avg_sq"].cpu().numpy(),
        "step": np.array(step),
        "losses": losses,
    }
    write_bytes_whole(file, save(arrays))


def _restore(
    weights: torch.Tensor, optimiser: torch.optim.Optimizer, found: dict[str, np.ndarray]
) -> None:
    import torch

    with torch.no_grad():
        weights.copy_(torch.from_numpy(found["weights"]))
    state = {
        "step": torch.tensor(float(found["step"])),
        "exp_avg": torch.tensor(found["first_moment"]),
        "exp_avg_sq": torch.tensor(found["second_moment"]),
    }
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": {0: state}, "param_groups": groups})


def _furthest(files: list[Path]) -> dict[str, np.ndarray] | None:
    from safetensors.numpy import load_file

    states = [load_file(file) for file in files if file.is_file()]
    return max(states, key=lambda state: int(state["step"]), default=None)


def _weights_and_moments(file: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    arrays = load_file(file)
    return {name: arrays[name] for name in ("weights", "first_moment", "second_moment")}
