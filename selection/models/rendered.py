"""A row as token ids of at most one length: what is trained on, what is measured, what was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.models.chat_tokens import ChatTokens, TrainOn, chat_tokens, read_chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class AnswerCut(ValueError):
    """Nothing of a row's answers is left to be trained on within the longest sequence."""


@dataclass(frozen=True)
class Rendered:
    """Token ids of one example.

    Attributes
    ----------
    ids : list of int
        At most `max_length` ids.
    loss_mask : list of int
        1 where the token is trained on.
    measured : tuple of int
        Half-open range of the ids whose loss is reported: the text, or the response; never the
        label or the end of text. Of a conversation, from its first answer to its last.
    measured_text : str
        The text of what is measured, for bits per byte.
    n_truncated : int
        Tokens of the text or prompt cut from its right to fit; of a conversation, from its end.
    between : frozenset of int
        Places of the range that are not measured: what stands between answers.
    """

    ids: list[int]
    loss_mask: list[int]
    measured: tuple[int, int]
    measured_text: str
    n_truncated: int
    between: frozenset[int] = frozenset()

    @property
    def n_measured(self) -> int:
        """Tokens whose loss is reported."""
        return self.measured[1] - self.measured[0] - len(self.between)

    @property
    def n_read(self) -> int:
        """Tokens that a model computes on to measure it: the last one it need not read."""
        return self.measured[1] - 1


def render_chat(
    turns: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    *,
    row: str,
    train_on: TrainOn,
) -> Rendered:
    """Render a conversation by the tokenizer's chat template, cut at its end.

    Measured are the tokens of the answers that count, without what ends them; with `all`, every
    answer.

    Parameters
    ----------
    turns : canonical JSON of a conversation.
    row : its id, for messages.

    Raises
    ------
    AnswerCut
        When nothing of the answers fits.
    TemplateRefusal
        When the template cannot say it.
    ValueError
        Naming row and template, when its answers are not to be found.
    """
    return cut_chat(chat_tokens(read_chat(turns), tokenizer, row=row), max_length, train_on)


def cut_chat(chat: ChatTokens, max_length: int, train_on: TrainOn) -> Rendered:
    """Cut a conversation at its end; `AnswerCut` where nothing of its answers is left."""
    ids = chat.ids[:max_length]
    wanted = chat.trained(train_on)
    if not wanted:
        raise AnswerCut(
            "its last answer is not to be trained on, as it says itself; set"
            " `train_on: assistant`, or drop the row"
        )
    counted = [answer for answer in wanted if answer.start < len(ids)]
    if not counted:
        raise AnswerCut(
            f"its answer begins after {wanted[0].start} tokens, and"
            f" max_length={max_length}; raise max_length or drop the row"
        )
    places = [place for a in counted for place in range(max(a.start, 1), min(a.said, len(ids)))]
    texts = [a.texts[: max(len(ids) - a.start, 0)] for a in counted]
    return Rendered(
        ids,
        chat.loss_mask(train_on)[:max_length],
        _hull(places),
        "".join(text for of_answer in texts for text in of_answer),
        len(chat.ids) - len(ids),
        frozenset(range(*_hull(places))) - frozenset(places),
    )


def _hull(places: Sequence[int]) -> tuple[int, int]:
    return places[0], places[-1] + 1
