"""What the harness sees of a model: one that runs it, and one that only counts its tokens."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.costs.passes import Passes
from selection.models.base import new_model, tiny_config

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 8
"""Sequences a batch. Fixed, because the padding of a batch is computed on and paid for."""


@cache
def model_classes() -> tuple[Any, Any]:
    """Make the two classes, which need the harness installed.

    Returns
    -------
    running : of (model, tokenizer, max_length); runs a loaded model; `n_truncated` counts requests
        that were cut.
    counting : of (tokenizer, max_length); answers nonsense, and counts in `passes` what the other
        would have put through its model.
    """
    from lm_eval.models import huggingface
    from lm_eval.models.utils import Collator

    harness_model: Any = huggingface.HFLM  # its decorator hides its type

    class Running(harness_model):
        def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
            super().__init__(
                pretrained=model,
                tokenizer=tokenizer,
                max_length=max_length,
                batch_size=BATCH_SIZE,
                trust_remote_code=False,
            )
            self.n_truncated = 0

        def _loglikelihood_tokens(
            self, requests: Any, disable_tqdm: bool = False, override_bs: int | None = None
        ) -> Any:
            for texts, context, answer in requests:
                if len(answer) > self.max_length:
                    raise ValueError(
                        f"the answer {texts[1][:40]!r}... of a task has {len(answer)} tokens and"
                        f" does not fit into the model's sequence_length of {self.max_length};"
                        " raise it, or drop the task"
                    )
                self.n_truncated += len(context) + len(answer) > self.max_length + 1
            return self._answer(requests, disable_tqdm, override_bs)

        def _answer(self, requests: Any, disable_tqdm: bool, override_bs: int | None) -> Any:
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)

        def get_model_info(self) -> dict[str, Any]:
            """Nothing: it would ask the hub."""
            return {}

    class Counting(Running):
        def __init__(self, tokenizer: Any, max_length: int) -> None:
            smallest = tiny_config(
                "llama",
                width=2,
                layers=1,
                heads=1,
                ffn_width=1,
                vocabulary=len(tokenizer),
                sequence_length=max_length,
            )
            super().__init__(new_model(smallest, seed=0), tokenizer, max_length)
            self.passes = Passes()

        def _answer(self, requests: Any, disable_tqdm: bool, override_bs: int | None) -> Any:
            """Make the batches that `HFLM._loglikelihood_tokens` makes, and look at their size."""
            ordered = Collator(
                requests,
                sort_fn=lambda r: (-len(r[1] + r[2]), tuple(r[1] + r[2])),
                group_by="contexts",
                group_fn=lambda r: r[-2] + r[-1][:-1],
            )
            for batch in ordered.get_batched(n=BATCH_SIZE):
                widths = [min(len(r[1]) + len(r[2]) - 1, self.max_length) for r in batch]
                self.passes += Passes.of_rows(np.full(len(widths), max(widths)))
            return [(0.0, False)] * len(requests)

        def _model_generate(
            self, context: torch.Tensor, max_length: int, stop: Any, **generation_kwargs: Any
        ) -> torch.Tensor:
            n, width = context.shape
            self.passes += Passes(n * width, n * width**2, n)
            # Token by token, each attending to all before it; the last one is not read again.
            reach = range(width + 1, max_length)
            self.passes += Passes(n * len(reach), n * sum(reach), n * len(reach))
            return context

    return Running, Counting
