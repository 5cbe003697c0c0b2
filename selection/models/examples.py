r"""One example of a target as token ids, with what is trained on and what is measured.

Every example starts with the token that separates rows in packed training, so that its first real
token is predicted too:

    plain       <s> text </s>
    labelled    <s> text \n\nLabel: name </s>
    generation  <s> prompt \n\n response </s>

A conversation is written as the model's chat template does (`selection.models.chat_tokens`). The
parts of the others are tokenized one by one, so that a label or response has the same tokens
whatever precedes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selection.models.chat_template import TemplateRefusal
from selection.models.chat_tokens import TrainOn
from selection.models.rendered import AnswerCut, Rendered, render_chat
from selection.models.tokenizer import required_id, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LABEL_PREFIX = "\n\nLabel:"
SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Example:
    """A row of the target: plain, labelled (`label`) or generation (`prompt` and `response`).

    Attributes
    ----------
    turns : str or None
        Canonical JSON of a conversation, which counts where there is one; prompt and response are
        then its text.
    train_on : of a conversation, whose tokens.
    """

    row_id: str
    text: str
    label: str | None = None
    prompt: str | None = None
    response: str | None = None
    turns: str | None = None
    train_on: TrainOn = "assistant"

    def __post_init__(self) -> None:
        """Refuse half a prompt-response pair, and one that also has a label."""
        if (self.prompt is None) != (self.response is None):
            raise ValueError(f"row {self.row_id}: prompt and response must be given together")
        if self.response is not None and self.label is not None:
            raise ValueError(f"row {self.row_id}: give a label or a response, not both")


def plain_examples(row_id: Iterable[str], texts: Iterable[str]) -> list[Example]:
    """Rows of a pool as a decoder reads them: plain text."""
    return [Example(str(row), text) for row, text in zip(row_id, texts, strict=True)]


def render_parts(
    example: Example,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    *,
    with_label: bool = True,
) -> Rendered:
    """Render one example.

    Plain and labelled examples are trained on everything after the first separator; generation
    examples on the response and its end of text only, conversations as they say.

    Parameters
    ----------
    example : Example
        A conversation when it has turns, generation when it has a response, labelled when it has a
        label, else plain.
    tokenizer : PreTrainedTokenizerBase
        A fast tokenizer with an end-of-text token.
    max_length : int
        Longest sequence, all tokens included. The text (or prompt) gives way, from its right.
    with_label : bool
        False renders a labelled example as plain text.

    Raises
    ------
    ValueError
        Naming the row, when the label or response alone does not fit, or nothing of a
        conversation's answers does; when its template cannot say it, or hides its answers.
    """
    if example.turns is not None:
        try:
            return render_chat(
                example.turns,
                tokenizer,
                max_length,
                row=example.row_id,
                train_on=example.train_on,
            )
        except (AnswerCut, TemplateRefusal) as error:
            raise ValueError(f"row {example.row_id}: {error}") from error
    if example.prompt is not None and example.response is not None:
        head = example.prompt
        middle, tail = tokenize(tokenizer, [SEPARATOR, example.response])
    elif example.label is not None and with_label:
        head = example.text
        middle, tail = tokenize(tokenizer, [LABEL_PREFIX, f" {example.label}"])
    else:
        head, middle, tail = example.text, [], []
    eos = [required_id(tokenizer.eos_token_id)]
    room = max_length - len(middle) - len(tail) - 2
    if room < 1:
        raise ValueError(
            f"row {example.row_id}: its label or response has {len(tail)} tokens and leaves no "
            f"room for text in max_length={max_length}; raise max_length or drop the row"
        )
    head_ids, kept_text, n_truncated = cut_text(tokenizer, head, room)
    ids = [separator_id(tokenizer), *head_ids, *middle, *tail, *eos]
    if example.response is not None:
        first = 1 + len(head_ids) + len(middle)
        measured, measured_text = (first, first + len(tail)), example.response
    else:
        first = 1
        measured, measured_text = (1, 1 + len(head_ids)), kept_text
    loss_mask = [0] * first + [1] * (len(ids) - first)
    return Rendered(ids, loss_mask, measured, measured_text, n_truncated)


def render_all(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[tuple[list[int], list[int]]], int]:
    """Render a training set for `selection.models.training.train`.

    Returns
    -------
    dataset : list of (ids, loss_mask)
    n_truncated : int
        How many examples lost text to `max_length`.
    """
    parts = [render_parts(e, tokenizer, max_length) for e in examples]
    return [(p.ids, p.loss_mask) for p in parts], sum(p.n_truncated > 0 for p in parts)


def cut_text(
    tokenizer: PreTrainedTokenizerBase, text: str, room: int
) -> tuple[list[int], str, int]:
    """First `room` tokens of a text, the text they stand for, and how many tokens were cut."""
    (ids,) = tokenize(tokenizer, [text])
    if len(ids) <= room:
        return ids, text, 0
    encoded: Any = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
    )
    return ids[:room], text[: encoded["offset_mapping"][room - 1][1]], len(ids) - room


def separator_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Token that stands before a row: begin-of-text where there is one, else end-of-text."""
    if tokenizer.bos_token_id is not None:
        return required_id(tokenizer.bos_token_id)
    return required_id(tokenizer.eos_token_id)
