"""Cosine similarity to the target's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selection.methods._common import embeddings_of, read_options, settled
from selection.methods.preparation import Files, Preparation
from selection.methods.protocol import ACCOUNTANT, Cost, CostInputs, FitInputs, Fitted, Rows, Scores
from selection.neighbours.targets import nearest_receipts
from selection.transport.points import unit_rows


class EmbeddingOptions(BaseModel):
    """Options of the embedding method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Literal["mean"] = Field(
        default="mean", description="mean: mean cosine of the row to all rows of the target"
    )


class EmbeddingMethod:
    """Mean cosine to the target, with the nearest target row as receipt."""

    name: str = "embedding"
    needs_embeddings: bool = True
    options: type[BaseModel] = EmbeddingOptions

    def fit_asset(self, options: Mapping[str, Any] | BaseModel) -> str | None:
        """Its fit is too cheap to store."""
        return None

    def draws_per_seed(self, options: Mapping[str, Any] | BaseModel) -> bool:
        """There is one ranking."""
        return False

    def preparations(self, options: Mapping[str, Any] | BaseModel) -> tuple[Preparation, ...]:
        """Nothing comes before it."""
        return ()

    def fit(self, inputs: FitInputs) -> Fitted:
        """Average the target's unit rows: the mean of cosines is the cosine with this mean."""
        options = read_options(EmbeddingOptions, inputs.options)
        target_MD = unit_rows(embeddings_of(inputs.target, self.name), "target")
        return Fitted(
            {"mean_D": target_MD.mean(axis=0)},
            {"variant": options.variant, "n_target": len(target_MD)},
        )

    def score(
        self,
        fitted: Fitted,
        rows: Rows,
        *,
        target: Rows,
        options: Mapping[str, Any] | BaseModel,
        seeds: Sequence[int],
        device: str | None = None,
        prepared: Mapping[str, Files] | None = None,
    ) -> Scores:
        """Give mean cosines: score of shape (1, n), receipts nearest_target and nearest_cosine."""
        read_options(EmbeddingOptions, options)
        rows_ND = unit_rows(embeddings_of(rows, self.name), "rows", may_be_empty=True)
        return Scores(
            settled(rows_ND @ fitted.arrays["mean_D"])[None, :],
            nearest_receipts(rows_ND, embeddings_of(target, self.name), target.row_id),
            sum(_scoring_flops(len(rows_ND), rows_ND.shape[1], len(target.row_id)).values()),
        )

    def cost(self, inputs: CostInputs) -> Cost:
        """Embeddings, one product with the mean, and the nearest-target search."""
        parts = {
            "pool_embedding": inputs.pool_embedding_flops,
            "target_embedding": inputs.target_embedding_flops,
            **_scoring_flops(inputs.n_pool, inputs.width, inputs.n_target),
        }
        return Cost(sum(parts.values()), ACCOUNTANT, parts)


def _scoring_flops(n_rows: int, width: int, n_target: int) -> dict[str, float]:
    return {"score": 2.0 * n_rows * width, "nearest_target": 2.0 * n_rows * n_target * width}


METHOD = EmbeddingMethod()
