"""What does each conversation of a pool take to train on, and which cannot be trained on?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selection.models.chat_template import TemplateRefusal
from selection.models.chat_tokens import TrainOn, chat_tokens, read_chat
from selection.models.packing import padded_widths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ANSWER_CUT = "answer_cut"
TEMPLATE_REFUSES = "template_refuses"
"""Fates of conversations that cannot be trained on."""


@dataclass(frozen=True)
class ChatLengths:
    """Arrays of shape (n,), int64; a conversation that its template refuses has 0 everywhere.

    Attributes
    ----------
    computed : tokens that training on the row computes on, its own padding included.
    cut : tokens of it that do not fit.
    answers, last_answers : tokens of all its answers, and of its last turn, that do fit.
    refused : why the template refuses each, "" for one that it does not.
    """

    computed: np.ndarray
    cut: np.ndarray
    answers: np.ndarray
    last_answers: np.ndarray
    refused: list[str]


def chat_lengths(
    row_id: Sequence[str],
    turns: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
) -> ChatLengths:
    """Render each conversation as training will (`selection.models.rendered.render_chat`).

    Parameters
    ----------
    turns : canonical JSON of each.

    Raises
    ------
    ValueError
        Naming row and template, when the answers of one are not to be found.
    """
    found = np.zeros((len(turns), 4), dtype=np.int64)
    refused = [""] * len(turns)
    for place, (row, said) in enumerate(zip(row_id, turns, strict=True)):
        try:
            tokens = chat_tokens(read_chat(said), tokenizer, row=str(row))
        except TemplateRefusal as error:
            refused[place] = str(error)
            continue
        length = len(tokens.ids)
        fitting = [
            sum(tokens.loss_mask(train_on)[:max_length])
            for train_on in ("assistant", "last_assistant")
        ]
        found[place] = (min(length, max_length), max(length - max_length, 0), *fitting)
    lengths, cut, answers, last_answers = found.T
    return ChatLengths(padded_widths(lengths, max_length), cut, answers, last_answers, refused)


def chat_faults(lengths: ChatLengths, train_on: TrainOn) -> np.ndarray:
    """Why each conversation cannot be trained on: a fate, or "" for one that can; (n,) str."""
    fitting = lengths.last_answers if train_on == "last_assistant" else lengths.answers
    faults = np.where(fitting == 0, ANSWER_CUT, "")
    return np.where(np.array(lengths.refused, dtype=str) != "", TEMPLATE_REFUSES, faults)
