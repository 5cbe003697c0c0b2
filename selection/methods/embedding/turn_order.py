"""Turns that were played, as arrays that any store keeps, and each row's score from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selection.methods.contract.protocol import Fitted
from selection.neighbours.turns import Turns

if TYPE_CHECKING:
    import pyarrow as pa


def fitted_turns(played: Turns, *, flops: float) -> Fitted:
    """Keep the turns: row ids as UTF-8 bytes of shape (T, length), zero-padded, in their order.

    Returns
    -------
    Fitted
        arrays row_id_bytes (uint8), turn (int64, from 1) and cosine (float64), by row id.
    """
    ids = played.row_id
    order = np.argsort(ids)
    width = max(1, ids.dtype.itemsize)
    ids_bytes = ids[order].astype(f"S{width}").view(np.uint8).reshape(len(ids), width)
    return Fitted(
        {"row_id_bytes": ids_bytes, "turn": order + 1, "cosine": played.cosine[order]},
        {
            "variant": "round_robin",
            "n_target": played.n_target,
            "n_distinct": played.n_rows,
            "turns": len(ids),
        },
        flops,
    )


def scores_by_turn(fitted: Fitted, row_id: np.ndarray, nearest_cosine: np.ndarray) -> np.ndarray:
    """Minus the turn that popped each row; rows never popped follow, by their largest cosine.

    Parameters
    ----------
    row_id, nearest_cosine : of shape (n,)

    Returns
    -------
    np.ndarray of shape (n,), float64
    """
    place, popped = _places(fitted, row_id)
    # A cosine is at most 1, so these lie from one to two below the last turn's.
    after = -len(fitted.arrays["turn"]) - 1.0 - (1.0 - nearest_cosine) / 2
    return np.where(popped, -fitted.arrays["turn"][place].astype(np.float64), after)


def columns_of_turns(
    fitted: Fitted, row_id: np.ndarray, target_row_id: np.ndarray
) -> dict[str, pa.Array]:
    """Receipts turn (from 1), popped_by (target row id) and popped_cosine; null where unpopped."""
    import pyarrow as pa

    place, popped = _places(fitted, row_id)
    turn = fitted.arrays["turn"][place]
    taker = np.asarray(target_row_id, dtype=str)[(turn - 1) % len(target_row_id)]
    unpopped = ~popped
    return {
        "turn": pa.array(turn, pa.int64(), mask=unpopped),
        "popped_by": pa.array(taker, pa.string(), mask=unpopped),
        "popped_cosine": pa.array(fitted.arrays["cosine"][place], mask=unpopped),
    }


def _places(fitted: Fitted, row_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of each row among those popped, and whether it is there at all."""
    ids_bytes = np.ascontiguousarray(fitted.arrays["row_id_bytes"])
    known = ids_bytes.view(f"S{ids_bytes.shape[1]}")[:, 0]
    wanted = np.char.encode(np.asarray(row_id, dtype=str), "utf-8")
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return place, known[place] == wanted
