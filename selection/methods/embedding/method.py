"""Cosine similarity to the target's rows: their mean, or target rows that take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from selection.basics.bounds import RowCount
from selection.methods.contract.common import embeddings_of, settled
from selection.methods.contract.cost import CostInputs, Held, MethodCost, Phase
from selection.methods.contract.options import MethodOptions
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores
from selection.methods.embedding.turn_order import columns_of_turns, fitted_turns, scores_by_turn
from selection.neighbours.targets import NEAREST_RECEIPTS, nearest_receipts
from selection.neighbours.turns import MAX_PAIRS, play_turns, turns_bytes
from selection.transport.points import unit_rows


class EmbeddingOptions(MethodOptions):
    """Options of the embedding method."""

    variant: Literal["mean", "round_robin"] = Field(
        default="mean",
        description="mean: mean cosine of the row to all rows of the target; round_robin: target "
        "rows take turns popping their nearest unused row (RDS+, arXiv 2503.01807)",
    )
    depth: RowCount | None = Field(
        default=None,
        description="of round_robin: nearest rows kept for each target row; at least so many turns "
        "are exact, and rows after the last turn come by their largest cosine; null: as many as "
        f"{MAX_PAIRS:,} pairs allow, or fewer that the memory limit holds: all of a small pool",
    )

    @model_validator(mode="after")
    def _depth_has_a_use(self) -> EmbeddingOptions:
        if self.depth is not None and self.variant != "round_robin":
            raise ValueError(
                f"depth is of variant round_robin, and the variant is {self.variant!r}; "
                "drop depth, or set `variant: round_robin`"
            )
        return self


class EmbeddingMethod(Method[EmbeddingOptions]):
    """Cosines to the target, with the nearest target rows as receipts."""

    name: str = "embedding"
    needs_embeddings: bool = True
    needs_device: bool = True
    cost_parts: Mapping[str, Phase] = MappingProxyType(
        {
            "pool_embedding": "embedding",
            "target_embedding": "embedding",
            "fit": "fit",
            "score": "score",
            "nearest_target": "score",
        }
    )
    receipts: frozenset[str] = NEAREST_RECEIPTS | {"turn", "popped_by", "popped_cosine"}
    options: type[EmbeddingOptions] = EmbeddingOptions

    def fit_asset(self, options: EmbeddingOptions) -> str | None:
        """`embedding_turns` for round_robin; a mean is too cheap to store."""
        return "turns" if _turns(options) else None

    def fit(self, inputs: FitInputs[EmbeddingOptions]) -> Fitted:
        """Average the target's unit rows, or play the turns over the whole pool.

        The mean of cosines is the cosine with the mean of unit rows.

        Raises
        ------
        ValueError
            Unusable rows; a depth with more pairs than fit the memory limit.
        """
        options = inputs.options
        target = embeddings_of(inputs.target, self.name)
        if not _turns(options):
            target_MD = unit_rows(target, "target")
            return Fitted(
                {"mean_D": target_MD.mean(axis=0)},
                {"variant": options.variant, "n_target": len(target_MD)},
            )

        def pool() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for rows in inputs.pool():
                yield rows.row_id, embeddings_of(rows, self.name)

        limit = MAX_PAIRS if inputs.memory_limit is None else inputs.memory_limit // 8
        if options.depth is None:  # what nobody asked for must not fill a large machine
            limit = min(limit, MAX_PAIRS)
        played = play_turns(pool, target, depth=options.depth, max_pairs=limit)
        return fitted_turns(played, flops=_product_flops(played.pairs, target.shape[1]))

    def score(self, fitted: Fitted, inputs: ScoreInputs[EmbeddingOptions]) -> Scores:
        """Score of shape (1, n): the mean cosine, or minus the turn in which the row was popped.

        Receipts are those of `nearest_receipts`, and of round_robin also turn, popped_by and
        popped_cosine, null for rows that no turn has popped.
        """
        rows, target = inputs.rows, inputs.target
        n_target = len(target.row_id)
        rows_ND = unit_rows(embeddings_of(rows, self.name), "rows", may_be_empty=True)
        nearest = nearest_receipts(rows_ND, embeddings_of(target, self.name), target.row_id)
        flops = _product_flops(len(rows_ND) * n_target, rows_ND.shape[1])
        if _turns(inputs.options):
            score = scores_by_turn(fitted, rows.row_id, np.asarray(nearest["nearest_cosine"]))
            return Scores(
                score[None, :],
                {**columns_of_turns(fitted, rows.row_id, target.row_id), **nearest},
                flops,
            )
        score = settled(rows_ND @ fitted.arrays["mean_D"])
        return Scores(score[None, :], nearest, flops + _product_flops(*rows_ND.shape))

    def cost(self, inputs: CostInputs[EmbeddingOptions]) -> MethodCost:
        """Embeddings, the nearest-target search, and the product with the mean or all cosines."""
        every_pair = _product_flops(inputs.n_pool * inputs.n_target, inputs.width)
        if _turns(inputs.options):
            ranking = {"fit": every_pair}
        else:
            ranking = {"score": _product_flops(inputs.n_pool, inputs.width)}
        parts = {
            "pool_embedding": inputs.pool_embedding_flops,
            "target_embedding": inputs.target_embedding_flops,
            **ranking,
            "nearest_target": every_pair,
        }
        return self.charges(inputs.options, parts)

    def memory(self, inputs: CostInputs[EmbeddingOptions]) -> Held:
        """Of round_robin, the nearest rows of each target row."""
        if not _turns(inputs.options):
            return Held()
        held = turns_bytes(inputs.n_pool, inputs.n_target, depth=inputs.options.depth)
        return Held(held, "depth")


def _turns(options: EmbeddingOptions) -> bool:
    return options.variant == "round_robin"


def _product_flops(n_pairs: int, width: int) -> float:
    return 2.0 * n_pairs * width


METHOD = EmbeddingMethod()
