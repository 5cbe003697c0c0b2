"""Which rows are too long to be selected, and how is that said?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.models.packing import Packing


@dataclass(frozen=True)
class LengthLimit:
    """The most tokens that a row may have to be selected.

    Attributes
    ----------
    tokens : None where rows of any length may be selected.
    of_texts : whether plain texts have the limit too; conversations always have.
    """

    tokens: int | None
    of_texts: bool

    def is_beyond(self, lengths: np.ndarray, is_chat: np.ndarray) -> np.ndarray:
        """Mark the rows that are too long.

        Parameters
        ----------
        lengths : np.ndarray of shape (n,), int64
            Tokens of each row, those that training would cut off included.
        is_chat : np.ndarray of shape (n,), bool
            Whether each is a conversation.
        """
        if self.tokens is None:
            return np.zeros(len(lengths), dtype=bool)
        return (lengths > self.tokens) & (self.of_texts | is_chat)

    def said(self, n_beyond: int) -> str:
        """Say the limit, and how many rows of the pool are beyond it."""
        if self.tokens is None:
            return "Rows of any length could be selected."
        what = "Rows" if self.of_texts else "Conversations"
        return (
            f"{what} of more than {self.tokens:,} tokens could not be selected; the pool has"
            f" {n_beyond:,}." + ("" if self.of_texts else " Texts could be of any length.")
        )


def length_limit(
    max_row_tokens: int | None, *, window: int | None, packing: Packing
) -> LengthLimit:
    """The limit that a study gives, or the default.

    By default rows that have a sequence to themselves must fit in the model's window, as what lies
    beyond it is cut off (conversations) or trained on apart from its beginning (texts that do not
    see each other). Texts that are joined are trained on whole, and have no limit.

    Parameters
    ----------
    max_row_tokens : the limit given; None for the default.
    window : tokens of the model's sequences; None where nothing is trained.
    """
    if max_row_tokens is not None:
        return LengthLimit(max_row_tokens, of_texts=True)
    return LengthLimit(window, of_texts=packing == "isolated")
