"""What several methods share: plain answers, seeded draws, batch-independent scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Generic

import numpy as np

from selection.methods.contract.cost import ACCOUNTANT, CostInputs, MethodCost, Phase
from selection.methods.contract.options import OptionsT
from selection.methods.contract.preparation import Files, Preparation
from selection.methods.contract.protocol import FitInputs, Fitted
from selection.methods.contract.values import Rows

# Coarse enough to hide rounding, finer than any embedding or solve is accurate.
SCORE_DECIMALS = 7


class MethodDefaults(Generic[OptionsT]):
    """The answers of a method that prepares nothing, fits for nothing, and ranks once."""

    name: str
    needs_embeddings: bool = False
    needs_device: bool = False
    cost_parts: Mapping[str, Phase] = MappingProxyType({})
    receipts: frozenset[str] = frozenset()

    def fit_asset(self, options: OptionsT) -> str | None:
        """Its fit is too cheap to store."""
        return None

    def draws_per_seed(self, options: OptionsT) -> bool:
        """All seeds have one ranking."""
        return False

    def preparations(self, options: OptionsT) -> tuple[Preparation, ...]:
        """Nothing comes before the fit."""
        return ()

    def fit(self, inputs: FitInputs[OptionsT]) -> Fitted:
        """Nothing to learn."""
        return Fitted()

    def cost(self, inputs: CostInputs[OptionsT]) -> MethodCost:
        """What is prepared, and no floating-point work beside."""
        prepared = self.preparations(inputs.options)
        return self.charges(inputs.options, {one.asset: one.flops(inputs) for one in prepared})

    def charges(
        self, options: OptionsT, parts: Mapping[str, float], accountant: str = ACCOUNTANT
    ) -> MethodCost:
        """Charge these FLOPs by part, each done by the step that the method declares for it.

        Raises
        ------
        ValueError
            For a part that is neither in `cost_parts` nor one of its preparations.
        """
        prepared = self.preparations(options)
        return MethodCost(
            self.name,
            accountant,
            parts,
            {**self.cost_parts, **{one.asset: one.asset for one in prepared}},
            frozenset(one.asset for one in prepared if one.shared)
            | ({"pool_embedding"} & self.cost_parts.keys()),
        )


def draw_per_seed(
    draw: Callable[..., np.ndarray],
    rows: Rows,
    seeds: Sequence[int],
    method: str,
    *,
    instead: str = "",
) -> np.ndarray:
    """Draw numbers keyed by (seed, row id), of shape (len(seeds), n).

    Parameters
    ----------
    instead : what else a user can do without a seed, such as another option.

    Raises
    ------
    ValueError
        Without a seed.
    """
    if len(seeds) == 0:
        raise ValueError(
            f"method {method!r} draws once per seed and got no seed; give at least 1{instead}"
        )
    return np.stack([draw(rows.row_id, seed=seed, purpose=method) for seed in seeds])


def settled(values: np.ndarray) -> np.ndarray:
    """Round away what depends on the shape of a batch.

    The order of a matrix product's sums, hence its last bits, changes with the batch; two rows
    with equal embeddings must tie exactly, so that the row id decides between them.
    """
    # Adding zero turns -0.0 into 0.0.
    return np.round(np.asarray(values, dtype=np.float64), SCORE_DECIMALS) + 0.0


def embeddings_of(rows: Rows, method: str) -> np.ndarray:
    """Give the embeddings of rows, or raise ValueError when they carry none."""
    if rows.embeddings is None:
        raise ValueError(
            f"method {method!r} needs embeddings and the {len(rows.row_id)} rows given carry none; "
            "pass Rows with embeddings"
        )
    return rows.embeddings


def prepared_by(asset: str, prepared: Mapping[str, Files], method: str) -> Files:
    """Give what a preparation has made, or raise ValueError when it was not given."""
    if asset not in prepared:
        raise ValueError(
            f"method {method!r} needs the preparation {asset!r} and was given {sorted(prepared)}; "
            f"prepare {asset} first and pass it as `prepared`"
        )
    return prepared[asset]
