"""What several methods share: seeded draws, batch-independent scores, what they must be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from selection.methods.contract.cost import SelectorSize
from selection.methods.contract.preparation import Files, Selector
from selection.methods.contract.values import Rows

SelectorT = TypeVar("SelectorT", Selector, SelectorSize)

# Coarse enough to hide rounding, finer than any embedding or solve is accurate.
SCORE_DECIMALS = 7


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


def required_selector(selector: SelectorT | None) -> SelectorT:
    """Give the selector, or what it would read, or raise ValueError for a study without one."""
    if selector is None:
        raise ValueError(
            "perplexity and gradient selection read the pool with a selector model and the study "
            "names none; add `selector:` to the study"
        )
    return selector
