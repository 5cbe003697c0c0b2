"""A conversation as token ids: which of them are answers, and which of them end one?"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, get_args

from selection.chats.conversation import Conversation
from selection.models.chat_spans import TemplateUnreadable
from selection.models.chat_template import (
    ChatText,
    TemplateRefusal,
    special_names,
    write_chat,
)
from selection.models.tokenizer import tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TrainOn = Literal["assistant", "last_assistant", "all"]
TRAIN_ON: tuple[TrainOn, ...] = get_args(TrainOn)


@dataclass(frozen=True)
class Answer:
    """What the assistant writes at one place.

    Attributes
    ----------
    start, end : half-open range of token ids, what ends the turn included.
    said : end of the range without what ends the turn.
    texts : what each token from `start` to `said` stands for.
    is_last : whether it is of the last turn.
    trained : False where the row says that it is not to be trained on.
    """

    start: int
    end: int
    said: int
    texts: tuple[str, ...]
    is_last: bool
    trained: bool


@dataclass(frozen=True)
class ChatTokens:
    """A whole conversation, nothing cut.

    Attributes
    ----------
    ids : list of int
    answers : tuple of Answer, in order.
    """

    ids: list[int]
    answers: tuple[Answer, ...]

    def trained(self, train_on: TrainOn) -> tuple[Answer, ...]:
        """The answers that count, of all turns or of the last; never what the row rules out."""
        last_only = train_on == "last_assistant"
        return tuple(a for a in self.answers if a.trained and (a.is_last or not last_only))

    def loss_mask(self, train_on: TrainOn) -> list[int]:
        """1 where a token is trained on; the first one, which nothing predicts, never is.

        With `all` that is everything but answers that the row rules out.
        """
        mask = [int(train_on == "all")] * len(self.ids)
        counted = self.trained(train_on)
        for answer in self.answers:
            mask[answer.start : answer.end] = [int(answer in counted)] * (answer.end - answer.start)
        mask[0] = 0
        return mask


def chat_tokens(
    conversation: Conversation, tokenizer: PreTrainedTokenizerBase, *, row: str
) -> ChatTokens:
    """Tokenize what the template writes, as a whole, so that tokens are those of any other trainer.

    A special token's name in what somebody said stays text: of each one found there the tokens of
    its letters are put in its place.

    Parameters
    ----------
    row : its id, for messages.

    Raises
    ------
    TemplateRefusal
        When the template cannot say this conversation.
    ValueError
        Naming row and template, when no token of an answer is found.
    """
    try:
        written = write_chat(conversation, tokenizer)
    except TemplateUnreadable as error:
        raise ValueError(_unreadable(row, tokenizer, str(error))) from error
    encoded: Any = tokenizer(
        written.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
    special = special_names(tokenizer)
    if written.names:
        ids, offsets = _as_text(ids, offsets, written, special, tokenizer)
    ends = frozenset(special.values())
    said = [turn.trained for turn in conversation.turns if turn.role == "assistant"]
    answers = tuple(
        Answer(
            *_tokens_of(span, ids, offsets, written.text, ends),
            is_last=turn == len(said) - 1,
            trained=said[turn],
        )
        for span, turn in zip(written.answers, written.turns, strict=True)
    )
    if not answers or any(answer.start >= answer.end for answer in answers):
        raise ValueError(_unreadable(row, tokenizer, "an answer has no token"))
    for number, answer in enumerate(answers, start=1):
        if answer.said == answer.start:
            raise TemplateRefusal(f"the template leaves out what answer {number} says")
    return ChatTokens(ids, answers)


def read_chat(turns: str) -> Conversation:
    """Return the conversation that a row keeps as canonical JSON."""
    return Conversation.from_json(turns)


def _unreadable(row: str, tokenizer: PreTrainedTokenizerBase, why: str) -> str:
    template = json.dumps(str(tokenizer.chat_template)[:120])
    return (
        f"row {row}: {why}; the chat template of {tokenizer.name_or_path or 'the tokenizer'} begins"
        f" {template}. Mark its answers with {{% generation %}}, or leave the row out"
    )


def _as_text(
    ids: list[int],
    offsets: list[tuple[int, int]],
    written: ChatText,
    special: dict[str, int],
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[list[int], list[tuple[int, int]]]:
    """Replace each special token that is somebody's text by the tokens of its letters."""
    numbers = frozenset(special.values())
    said = iter(written.names)
    span = next(said, None)
    new_ids: list[int] = []
    new_offsets: list[tuple[int, int]] = []
    for number, (start, end) in zip(ids, offsets, strict=True):
        while span is not None and span[1] <= start:
            span = next(said, None)
        if span is not None and number in numbers and start < span[1] and end > span[0]:
            [letters] = tokenize(tokenizer, [written.text[start:end]])
            new_ids += letters
            new_offsets += [(start, end)] * len(letters)
        else:
            new_ids.append(number)
            new_offsets.append((start, end))
    return new_ids, new_offsets


def _tokens_of(
    span: tuple[int, int],
    ids: list[int],
    offsets: list[tuple[int, int]],
    text: str,
    special: frozenset[int],
) -> tuple[int, int, int, tuple[str, ...]]:
    """The tokens that have a character of the range, and how many of them say something."""
    start = bisect_right(offsets, span[0], key=itemgetter(1))
    end = bisect_left(offsets, span[1], key=itemgetter(0))
    said = end
    while said > start and ids[said - 1] not in special and _blank(offsets[said - 1], text):
        said -= 1
    if said > start and ids[said - 1] in special:
        while said > start and ids[said - 1] in special:
            said -= 1
    else:  # this template ends turns with nothing that could be told apart
        said = end
    texts, reached = [], span[0]
    for first, last in offsets[start:said]:
        # a character of several tokens counts at the first of them
        first, last = max(first, reached), min(last, span[1])
        texts.append(text[first:last] if last > first else "")
        reached = max(reached, last)
    return start, end, said, tuple(texts)


def _blank(offset: tuple[int, int], text: str) -> bool:
    return not text[offset[0] : offset[1]].strip()
