"""The decoders of a study: the model that is trained, and the one that methods read with."""

from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.tables import places_of
from selection.config.decoders import Decoder
from selection.config.study import Study
from selection.costs import ModelShape
from selection_assets.stage.keys import POOL_TOKENS

Role = Literal["base", "selector"]
"""The model that is trained, and the one that some methods read the pool with."""
ROLES: tuple[Role, ...] = get_args(Role)


def decoders_of(study: Study) -> dict[Role, Decoder]:
    """The base model and the selector, as far as a study has them."""
    named: dict[Role, Decoder | None] = {"base": study.base_model, "selector": study.selector}
    return {role: decoder for role, decoder in named.items() if decoder is not None}


def read_shape(tokenizer: Artifact) -> ModelShape:
    """Return the shape of the model that a tokenizer is for."""
    return ModelShape(**tokenizer.json("shape.json"))


def tokens_asset(role: Role) -> str:
    """Name of the asset with the tokens that a decoder finds in the pool's rows."""
    return POOL_TOKENS if role == "base" else f"{role}_pool_tokens"


def row_tokens(rows: pa.Table, tokens: Artifact) -> np.ndarray:
    """Tokens of the rows of a source, in their order.

    Parameters
    ----------
    rows : with their `row_id`, all of them rows of the source.
    tokens : the source's `pool_tokens`.

    Returns
    -------
    np.ndarray of shape (n,), int64

    Raises
    ------
    ValueError
        When a row is not counted, because the rows have changed since.
    """
    counted = tokens.table("tokens.parquet")
    place = places_of(rows["row_id"], counted["row_id"])
    if (place < 0).any():
        raise ValueError(
            f"{tokens.folder} lacks {int((place < 0).sum())} of the rows: materialize"
            f" {tokens.asset}[{tokens.partition}] again"
        )
    return counted["n_tokens"].to_numpy()[place]
