"""Which of the formats that people have is a row in, and what conversation does it hold?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import chain

from selection.basics.text import normalise
from selection.chats.conversation import BETWEEN, ChatFault, Conversation, Turn
from selection.chats.turns import (
    EMPTY,
    conversation,
    parsed,
    read_messages,
    side_of,
    spoken,
    told,
)

Row = Mapping[str, object]
"""Field of the format to its value; an absent column and a null are None alike."""

Columns = Mapping[str, str]
"""Field of the format to the column that has it, for messages."""


@dataclass(frozen=True)
class Format:
    """One way to write a conversation as a row.

    Attributes
    ----------
    name : as people call it.
    needs : fields that a row of it has.
    may : fields that it may have beside them.
    read : gives the conversation, or raises `ChatFault`.
    """

    name: str
    needs: tuple[str, ...]
    may: tuple[str, ...]
    read: Callable[[Row, Columns], Conversation]


BESIDE = ("system", "tools")
"""Fields that any conversation may have beside its turns."""


def _messages(field: str) -> Callable[[Row, Columns], Conversation]:
    def read(row: Row, columns: Columns) -> Conversation:
        return _listed(row[field], row, columns[field])

    return read


def _listed(messages: object, row: Row, what: str) -> Conversation:
    return read_messages(messages, what=what, system=row.get("system"), tools=row.get("tools"))


def _instruction(row: Row, columns: Columns) -> Conversation:
    """Alpaca's: an instruction, what it is about, what was said before, and the output."""
    asked = spoken("user", row["instruction"], columns["instruction"])
    about = row.get("input")
    if about not in EMPTY:
        content = spoken("user", about, columns["input"]).content
        asked = Turn("user", asked.content + BETWEEN + content)
    answer = spoken("assistant", row["output"], columns["output"])
    turns = [*_history(row.get("history"), columns["history"]), asked, answer]
    return _whole(turns, row, columns["output"])


def _history(history: object, what: str) -> list[Turn]:
    """Pairs of question and answer that come before the instruction."""
    if history in EMPTY:
        return []
    history = parsed(history, what)  # a text of JSON, as in a CSV
    if history is None:
        return []
    if not isinstance(history, list | tuple):
        raise ChatFault(f"wrong type: column {what!r} is {type(history).__name__}, not a list")
    turns = []
    for place, pair in enumerate(history, start=1):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ChatFault(f"wrong type: pair {place} of {what!r} is no question with its answer")
        turns += [spoken("user", pair[0], what), spoken("assistant", pair[1], what)]
    return turns


def _pair(asked: str, answered: str) -> Callable[[Row, Columns], Conversation]:
    """Two fields, each a text or a list of messages."""

    def read(row: Row, columns: Columns) -> Conversation:
        question, answer = row[asked], row[answered]
        if isinstance(question, list) or isinstance(answer, list):
            return _joined(question, answer, row, columns[asked], columns[answered])
        turns = [
            spoken("user", question, columns[asked]),
            spoken("assistant", answer, columns[answered]),
        ]
        return _whole(turns, row, columns[answered])

    return read


def _joined(prompt: object, answer: object, row: Row, asked: str, answered: str) -> Conversation:
    """Messages of a prompt followed by those of its answer; either may be a text."""
    before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    after = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
    return _listed([*before, *after], row, f"{asked} + {answered}")


def _preference(row: Row, columns: Columns) -> Conversation:
    """A prompt with the better of two answers; or what both begin with is the prompt."""
    chosen, rejected = row["chosen"], row["rejected"]
    if rejected in EMPTY or not isinstance(rejected, str | list):
        raise ChatFault(f"no rejected answer: column {columns['rejected']!r} has none")
    prompt = None if row.get("prompt") in EMPTY else row["prompt"]
    if isinstance(chosen, list) and _asks(chosen):
        return _begun_alike(row, columns, prompt)
    if prompt is None:
        raise ChatFault(
            f"no prompt: nothing says where the answer in {columns['chosen']!r} begins; name the"
            f" column of its prompt, `columns: {{prompt: ..., chosen: {columns['chosen']}}}`, or"
            " write it as messages"
        )
    return _pair("prompt", "chosen")(row, columns)


def _asks(messages: list) -> bool:
    """Whether messages begin with what was asked, and are no answer alone."""
    first = messages[0] if messages else None
    said = first.get("role", first.get("from")) if isinstance(first, Mapping) else None
    return side_of(said) in ("system", "user")


def _begun_alike(row: Row, columns: Columns, prompt: object) -> Conversation:
    """Both are whole conversations; what is said to be their prompt must stand in them."""
    said = _messages("chosen")(row, columns)
    if isinstance(prompt, str):
        asked = {normalise(turn.content) for turn in said.turns[:-1]}
        if normalise(prompt) not in {*asked, normalise(said.prompt)}:
            raise ChatFault(f"two prompts: {columns['prompt']!r} is none of {columns['chosen']!r}")
    return said


def _whole(turns: list[Turn], row: Row, what: str) -> Conversation:
    return conversation(turns, what=what, system=told(row.get("system")), tools=row.get("tools"))


CHATS = (
    Format("messages", ("messages",), BESIDE, _messages("messages")),
    Format("sharegpt", ("conversations",), BESIDE, _messages("conversations")),
    Format("preference", ("chosen", "rejected"), ("prompt", *BESIDE), _preference),
    Format("alpaca", ("instruction", "output"), ("input", "history", *BESIDE), _instruction),
    Format("prompt-completion", ("prompt", "completion"), BESIDE, _pair("prompt", "completion")),
    Format("prompt-response", ("prompt", "response"), BESIDE, _pair("prompt", "response")),
    Format("question-answer", ("question", "answer"), BESIDE, _pair("question", "answer")),
)
"""Of a row that is in several, the first counts."""


MAY_BE_LISTS = {
    *("messages", "conversations", "chosen", "rejected"),
    *("prompt", "completion", "response", "question", "answer", "history", "tools"),
}
"""Fields that may hold more than a text."""


def _no_conversation(row: Row, columns: Columns) -> Conversation:
    raise TypeError("a text has no turns")


TEXT = Format("text", ("text",), (), _no_conversation)
"""A row that is no conversation."""


def whole_format(filled: set[str], formats: Collection[Format]) -> Format | None:
    """Return the first format of which a row has all that it needs, if there is one.

    Parameters
    ----------
    filled : fields in which the row has a value.
    """
    for known in formats:
        if filled.issuperset(known.needs):
            return known
    return None


@dataclass(frozen=True)
class Fields:
    """Which fields a row has.

    Attributes
    ----------
    filled : with a value that may be one.
    given : these, and empty lists.
    there : all of which it has the column.
    """

    filled: set[str]
    given: set[str]
    there: set[str]


def half_format(fields: Fields, formats: Collection[Format]) -> Format | None:
    """Return the format of a row that lacks what it needs, which can then be said; None for none.

    First come formats of which it has all columns, then those of which it has a value.
    """
    begun = [known for known in formats if any(field in fields.given for field in known.needs)]
    filled = (known for known in begun if any(field in fields.filled for field in known.needs))
    return whole_format(fields.there, begun) or next(chain(filled, begun), None)
