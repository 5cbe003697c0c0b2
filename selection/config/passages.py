"""How many words has a passage that is read from documentation?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from selection.config.names import Strict

Words = Annotated[int, Field(le=100_000)]


class PassageWords(Strict):
    """The least and the most words of a passage."""

    min_words: Words = Field(default=8, ge=1)
    max_words: Words = Field(default=120, ge=8)

    @model_validator(mode="after")
    def _least_is_less(self) -> PassageWords:
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words {self.min_words} is more than max_words {self.max_words}: no passage"
                " is both; lower the one or raise the other"
            )
        return self
