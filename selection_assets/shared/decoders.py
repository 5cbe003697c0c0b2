"""The decoders of a study: the model that is trained, and the one that methods read with."""

from typing import Literal, get_args

from resources.store.artifacts import Artifact
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
