"""Where in a rendered chat does the assistant speak, if its template has no marks that say so?

An answer is what is written once the answer is there and was not before: between the text of the
messages before it, with the prompt to answer, and the text of the messages up to it. That holds for
most templates. Some write a turn in another way once it is no longer the last (Qwen 3 leaves out
earlier thoughts), or move the system prompt to the last question (Mistral). There the answer is
found by writing the same chat with another answer in its place: what differs is the answer, and
what follows it where it is the last turn ends it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

_OTHER = "\U000fffff\U000fffff"
"""An answer that nobody has given: private characters, which no stand-in is."""


class TemplateUnreadable(ValueError):
    """The answers are not to be found in what a template writes."""


class Write(Protocol):
    """Writes messages by a template, with the prompt to answer if asked for."""

    def __call__(self, said: Sequence[Mapping[str, Any]], *, prompt: bool = False) -> str:
        """Return the text."""
        ...


def answer_spans(
    messages: Sequence[Mapping[str, Any]], text: str, write: Write, names: Collection[str]
) -> list[tuple[int, int]]:
    """Find the ranges of an assistant's turns, their ends included.

    Parameters
    ----------
    messages : as templates take them.
    text : what the template writes of all of them.
    names : of special tokens.

    Raises
    ------
    TemplateUnreadable
        Naming the turn, counted from 1 without the system's.
    """
    spans, offset = [], messages[0]["role"] == "system"
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start, end = _nested(messages, place, text, write) or _in_place(
            messages, place, text, write, names
        )
        if start >= end or (spans and start < spans[-1][1]):
            raise TemplateUnreadable(
                f"turn {place + 1 - offset}, an answer, is nowhere in what the template writes"
            )
        spans.append((start, end))
    return spans


def _nested(
    messages: Sequence[Mapping[str, Any]], place: int, text: str, write: Write
) -> tuple[int, int] | None:
    """The range by what was written before and after the turn; None where the text differs."""
    before = write(messages[:place], prompt=True)
    after = text if place == len(messages) - 1 else write(messages[: place + 1])
    if text.startswith(after) and after.startswith(before):
        return len(before), len(after)
    return None


def _in_place(
    messages: Sequence[Mapping[str, Any]],
    place: int,
    text: str,
    write: Write,
    names: Collection[str],
) -> tuple[int, int]:
    """The range by what changes when the answer does."""
    other = {"role": "assistant", "content": _OTHER}
    until = messages[:place]
    changed = write([*until, other, *messages[place + 1 :]])
    last, last_changed = write(messages[: place + 1]), write([*until, other])
    if changed.count(_OTHER) != 1 or last_changed.count(_OTHER) != 1:
        return 0, 0
    start = len(_common_start(text, changed))
    closing, after = (said.partition(_OTHER)[2] for said in (last_changed, changed))
    ending = _ending(closing, after, names)
    if not last.endswith(closing) or not text.endswith(after) or (closing.strip() and not ending):
        return 0, 0
    return start, len(text) - len(after) + len(ending)


def _ending(closing: str, after: str, names: Collection[str]) -> str:
    """What ends a turn here, by what ends it where it is the last.

    The same, or as much of it as is here; or one special token, where another one ends the last.
    """
    special = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))) or r"(?!)")
    ending = _common_start(closing, after)
    for found in special.finditer(after):
        if found.start() < len(ending) < found.end():
            ending = ending[: found.start()]
    here = special.match(after)
    if not ending and here and special.match(closing):
        return here.group()
    return ending


def _common_start(one: str, other: str) -> str:
    """Characters with which both begin."""
    differ = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differ, min(len(one), len(other)))]
