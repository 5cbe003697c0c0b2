"""Gradients' influence (LESS, arXiv 2402.04333): rows that would lower the target's loss.

A selector is warmed up on a sample of the pool; a row's influence is the cosine of the step that
Adam would take on it with the gradients of the target's examples, over the warm-up's checkpoints.
A row is as good as its best subtask says. Rows are read whole, in windows
(`selection.models.windows`), and a row's gradient is that of the mean loss of all its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np

from selection.methods.contract.common import prepared_by, required_selector, settled
from selection.methods.contract.cost import CostInputs, MethodCost, Phase
from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores
from selection.methods.gradient.gradient_store import STORE, TARGET, GradientStore, TargetGradients
from selection.methods.gradient.influence import influence, influence_flops, subtask_means
from selection.methods.gradient.options import GradientOptions
from selection.methods.gradient.selector_warm_up import WARM_UP, SelectorWarmUp

if TYPE_CHECKING:
    import pyarrow as pa


class GradientMethod(Method[GradientOptions]):
    """Best subtask's influence, with the influence on every subtask as receipt."""

    name: str = "gradient"
    needs_device: bool = True
    cost_parts: Mapping[str, Phase] = MappingProxyType({"fit": "fit", "score": "score"})
    receipts: frozenset[str] = frozenset({"best_subtask", "influence_by_subtask"})
    options: type[GradientOptions] = GradientOptions

    def preparations(self, options: GradientOptions) -> tuple[Preparation, ...]:
        """Warm-up and store serve every target of the pool; the target's gradients are its own."""
        return SelectorWarmUp(), GradientStore(), TargetGradients()

    def fit(self, inputs: FitInputs[GradientOptions]) -> Fitted:
        """Average the target's gradients inside each subtask.

        Returns
        -------
        Fitted
            arrays mean_SCD (S, C, D) float32 and learning_rates (C,) float64; facts name the
            subtasks.

        Raises
        ------
        ValueError
            When the preparations are missing.
        """
        options = inputs.options
        target, warm_up = (
            prepared_by(asset, inputs.prepared, self.name) for asset in (TARGET, WARM_UP)
        )
        gradients_MCD = target.array("gradients.npy")
        names, mean_SCD = subtask_means(gradients_MCD, target.json("subtasks.json"))
        rates = np.asarray(warm_up.json("warm_up.json")["learning_rates"], dtype=np.float64)
        return Fitted(
            {"mean_SCD": mean_SCD, "learning_rates": rates},
            {"subtasks": names, "n_target": len(gradients_MCD), "dimensions": options.dimensions},
            float(gradients_MCD.size),
        )

    def score(self, fitted: Fitted, inputs: ScoreInputs[GradientOptions]) -> Scores:
        """Score of shape (1, n); receipts best_subtask and influence_by_subtask."""
        rows = inputs.rows
        if rows.features is None:
            raise ValueError(
                f"method 'gradient' needs the rows' gradients and the {len(rows.row_id)} rows "
                f"given carry none; pass Rows with features of {STORE!r}"
            )
        mean_SCD = fitted.arrays["mean_SCD"]
        names = np.asarray(cast(list[str], fitted.facts["subtasks"]), dtype=object)
        influence_NS = settled(influence(rows.features, mean_SCD, fitted.arrays["learning_rates"]))
        subtasks, checkpoints, dimensions = mean_SCD.shape
        return Scores(
            influence_NS.max(axis=1)[None, :],
            {
                "best_subtask": names[influence_NS.argmax(axis=1)].astype(str),
                "influence_by_subtask": _by_subtask(names, influence_NS),
            },
            influence_flops(len(influence_NS), checkpoints, dimensions, subtasks),
        )

    def cost(self, inputs: CostInputs[GradientOptions]) -> MethodCost:
        """Warm-up, gradients of pool and target, and one product a row.

        How many subtasks the target has is not known here: one is assumed, whose product is next to
        nothing beside the gradients.

        Raises
        ------
        ValueError
            For a study without a selector.
        """
        options, size = inputs.options, required_selector(inputs.selector)
        features = options.checkpoints * options.dimensions
        parts = {made.asset: made.flops(inputs) for made in self.preparations(options)}
        parts["fit"] = float(inputs.n_target * features)
        parts["score"] = influence_flops(
            inputs.n_pool, options.checkpoints, options.dimensions, subtasks=1
        )
        return self.charges(options, parts, size.accountant)


METHOD = GradientMethod()


def _by_subtask(names: np.ndarray, influence_NS: np.ndarray) -> pa.Array:
    """Give for every row a list of (subtask, influence)."""
    import pyarrow as pa

    n, subtasks = influence_NS.shape
    pairs = pa.StructArray.from_arrays(
        [pa.array(np.tile(names, n), pa.string()), pa.array(influence_NS.ravel(), pa.float64())],
        names=["subtask", "influence"],
    )
    return pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32) * subtasks, pairs)
