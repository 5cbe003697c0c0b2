"""The options of a method: always the model that the method has validated them by."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

OptionsT = TypeVar("OptionsT", bound=BaseModel)
OptionsT_co = TypeVar("OptionsT_co", bound=BaseModel, covariant=True)
"""Of what only reads them: inputs."""


class MethodOptions(BaseModel):
    """Options of a method.

    One that it does not know is an error, none ever changes, and none is taken for another kind of
    value. Every number has a least and a most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoOptions(MethodOptions):
    """For a method without options."""


def wants_contrast(options: BaseModel) -> bool:
    """Whether a method with these options steers away from the study's `contrast`."""
    return getattr(options, "contrast_weight", None) is not None
