"""The gradient method's first preparation: the selector's LoRA warm-up on a sample of the pool."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import required_selector
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.preparation import (
    Preparation,
    Prepared,
    PrepareInputs,
    Selector,
)
from selection.methods.contract.values import Rows
from selection.methods.gradient.flops import gradient_flops
from selection.methods.gradient.lora import Adapted, adapt
from selection.methods.gradient.options import GradientOptions
from selection.methods.gradient.tokens import lengths_of
from selection.methods.gradient.warm_up import Schedule, plan_schedule, warm_up_adapters
from selection.models.base import load_tokenizer
from selection.models.examples import Example, plain_examples
from selection.models.windows import share_of, window_examples

WARM_UP = "selector_warm_up"


class SelectorWarmUp(Preparation):
    """LoRA warm-up of the selector: `checkpoint_<c>.safetensors`, and `warm_up.json`."""

    asset: str = WARM_UP
    shared: bool = True
    needs_selector: bool = True
    needs_device: bool = True
    reads: tuple[str, ...] = tuple(
        name for name in GradientOptions.model_fields if name != "dimensions"
    )

    def prepare(self, inputs: PrepareInputs[GradientOptions]) -> Prepared:
        """Train on the sample, or go on where the last attempt stopped."""
        options = inputs.options
        selector = required_selector(inputs.selector)
        longest = selector.shape.sequence_length
        rows = window_examples(_sample(inputs, options), load_tokenizer(selector.folder), longest)
        adapted = adapted_selector(selector, options, inputs.device)
        schedule = _plan(len(rows), options)
        widths = schedule.widths(lengths_of(rows), longest)
        step_flops = [gradient_flops(selector, w, options) for w in widths]
        warmed = warm_up_adapters(
            adapted,
            rows,
            schedule,
            longest=longest,
            work=inputs.work,
            step_flops=step_flops,
            meter=inputs.meter,
            report=inputs.report,
            advance=inputs.advance,
        )
        per_epoch = warmed.losses.reshape(schedule.epochs, -1).mean(axis=1)
        files: dict[str, Any] = {
            f"checkpoint_{c}.safetensors": arrays for c, arrays in enumerate(warmed.checkpoints)
        }
        files["warm_up.json"] = {
            "learning_rates": schedule.mean_rates().tolist(),
            "losses": per_epoch.tolist(),
            "layout": [[name, list(shape)] for name, shape in adapted.shapes.items()],
        }
        return Prepared(
            files,
            rows=len(rows),
            flops=sum(step_flops),
            accountant=selector.accountant,
            resumed_flops=sum(step_flops[: warmed.resumed_steps]),
            facts={"steps": len(step_flops), "first_loss": float(warmed.losses[0])}
            | {"last_epoch_loss": float(per_epoch[-1]), "adapter_weights": adapted.size}
            | {
                "window": longest,
                "share_read": share_of(
                    sum(row.n_read for row in rows), sum(row.n_left_out for row in rows)
                ),
            },
        )

    def flops(self, inputs: CostInputs[GradientOptions]) -> float:
        """Cost of a sample like the one that will be drawn: only its texts' lengths may differ."""
        options, size = inputs.options, required_selector(inputs.selector)
        n_rows = _sample_size(len(size.pool_lengths), options)
        draw = np.random.default_rng(options.seed)
        lengths = draw.choice(size.pool_lengths, size=n_rows, replace=False)
        widths = _plan(n_rows, options).widths(lengths, size.shape.sequence_length)
        return sum(gradient_flops(size, w, options) for w in widths)


def adapted_selector(selector: Selector, options: GradientOptions, device: str) -> Adapted:
    """Load the selector with its untrained adapters, the same in every preparation."""
    return adapt(selector.folder, rank=options.lora_rank, seed=options.seed, device=device)


def _sample_size(n_pool: int, options: GradientOptions) -> int:
    return math.ceil(options.warm_up_share * n_pool)


def _sample(inputs: PrepareInputs[GradientOptions], options: GradientOptions) -> list[Example]:
    """Give the rows with the lowest seeded hash, in its order: two passes, one to find the cut."""

    def keys(rows: Rows) -> np.ndarray:
        return keyed_uniform(rows.row_id, seed=options.seed, purpose="warm_up_rows")

    every = np.concatenate([np.empty(0), *(keys(rows) for rows in inputs.pool())])
    size = _sample_size(len(every), options)
    cut = np.sort(every)[size - 1] if size else -1.0
    chosen: list[tuple[float, Example]] = []
    for rows in inputs.pool():
        of_rows = keys(rows)
        examples = plain_examples(rows.row_id, rows.text)
        chosen += [(of_rows[i], examples[i]) for i in np.flatnonzero(of_rows <= cut)]
    return [example for _, example in sorted(chosen, key=lambda pair: pair[0])[:size]]


def _plan(n_rows: int, options: GradientOptions) -> Schedule:
    return plan_schedule(
        n_rows,
        epochs=options.checkpoints,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
