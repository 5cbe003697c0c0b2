"""What several methods share: plain answers, validated options, batch-independent scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import Rows

# Coarse enough to hide rounding, finer than any embedding or solve is accurate.
SCORE_DECIMALS = 7

OptionsT = TypeVar("OptionsT", bound=BaseModel)


class MethodDefaults:
    """The answers of a method that prepares nothing, fits for nothing, and ranks once."""

    def fit_asset(self, options: Mapping[str, Any] | BaseModel) -> str | None:
        """Its fit is too cheap to store."""
        return None

    def draws_per_seed(self, options: Mapping[str, Any] | BaseModel) -> bool:
        """All seeds have one ranking."""
        return False

    def preparations(self, options: Mapping[str, Any] | BaseModel) -> tuple[Preparation, ...]:
        """Nothing comes before the fit."""
        return ()


def read_options(kind: type[OptionsT], options: Mapping[str, Any] | BaseModel) -> OptionsT:
    """Validate options given as a mapping, or as an already validated model."""
    return kind.model_validate(dict(options) if isinstance(options, Mapping) else options)


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


def wants_contrast(options: Mapping[str, Any] | BaseModel) -> bool:
    """Whether a method with these options steers away from the study's `contrast`."""
    given = options if isinstance(options, Mapping) else options.model_dump()
    return given.get("contrast_weight") is not None
