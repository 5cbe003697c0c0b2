"""How long does it take to evaluate a checkpoint on this device, by FLOP?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selection.arms.evaluate import evaluate_checkpoint, evaluation_flops
from selection.costs import ModelShape
from selection.models.examples import Example
from selection.planning.measuring import Probed, probe_sizes


def probe_evaluation(
    base: Path,
    examples: Sequence[Example],
    labels: Sequence[str],
    *,
    shape: ModelShape,
    accountant: str,
    device: str,
) -> Probed:
    """Measure the evaluation of one checkpoint, its loading included.

    Parameters
    ----------
    base : folder of a checkpoint of the model, trained or not.
    examples : the target's test split, at least two.
    labels : candidates of a labelled target; empty for another.
    """

    def evaluate(n_examples: int) -> float:
        losses = evaluate_checkpoint(
            base,
            examples[:n_examples],
            labels,
            seed=0,
            max_length=shape.sequence_length,
            device=device,
        )
        return evaluation_flops(losses, labels, shape, accountant)

    return probe_sizes(evaluate, most=len(examples))
