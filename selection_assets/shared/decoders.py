"""The decoders of a study, and what is known of one before its weights exist."""

from typing import Literal, get_args

from resources.store.artifacts import Artifact
from selection.costs import ModelShape

Role = Literal["base", "selector"]
"""The model that is trained, and the one that some methods read the pool with."""
ROLES: tuple[Role, ...] = get_args(Role)


def read_shape(tokenizer: Artifact) -> ModelShape:
    """Return the shape of the model that a tokenizer is for."""
    return ModelShape(**tokenizer.json("shape.json"))
