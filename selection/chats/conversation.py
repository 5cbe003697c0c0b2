"""A conversation in one form, whatever form it came in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

from selection.basics.text import normalise

Role = Literal["user", "assistant", "tool"]

BETWEEN = "\n\n"
"""What stands between two turns where a conversation is read as one text."""


class ChatFault(ValueError):
    """Why a row is no conversation: ``kind: detail``, not yet safe to print."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says.

    Attributes
    ----------
    content : str
        Blank only where `tool_calls` says all.
    tool_calls : str or None
        Canonical JSON (`canonical`) of the calls that an assistant makes.
    name : str or None
        Of the tool that answers.
    trained : bool
        False where its row says that this answer is not to be trained on; of roles other than the
        assistant's it says nothing.
    """

    role: Role
    content: str
    tool_calls: str | None = None
    name: str | None = None
    trained: bool = True

    @property
    def spoken(self) -> str:
        """The content and the calls, as one text."""
        return BETWEEN.join(filter(None, (self.content, self.tool_calls)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that alternate and end with an answer.

    Attributes
    ----------
    turns : tuple of Turn
        Of which the last is an assistant's.
    system : str or None
        What the assistant was told beforehand.
    tools : str or None
        Canonical JSON of the tools that it may call.
    """

    turns: tuple[Turn, ...]
    system: str | None = None
    tools: str | None = None

    @property
    def prompt(self) -> str:
        """Everything before the last answer, as one text."""
        said = [turn.spoken for turn in self.turns[:-1]]
        return BETWEEN.join([self.system, *said] if self.system else said)

    @property
    def response(self) -> str:
        """The last answer, as one text."""
        return self.turns[-1].spoken

    @property
    def text(self) -> str:
        """All of it, as one text."""
        return self.prompt + BETWEEN + self.response

    def to_json(self) -> str:
        """Return it as canonical JSON: `from_json` gives it back."""
        # What a turn does not differ from the usual in is left out.
        turns = [
            {
                name: value
                for name in Turn.__slots__
                if (value := getattr(turn, name)) is not None and value is not True
            }
            for turn in self.turns
        ]
        said = {"system": self.system, "tools": self.tools, "turns": turns}
        return canonical({name: value for name, value in said.items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> Conversation:
        """Return the conversation that `to_json` wrote."""
        said = json.loads(text)
        said["turns"] = tuple(Turn(**turn) for turn in said["turns"])
        return cls(**said)

    def row_id(self) -> str:
        """Return the hash that names the row: of its canonical turns, their texts normalised.

        Returns
        -------
        str
            32 hexadecimal characters, BLAKE2b (16 bytes), as of a plain text
            (`selection.basics.text.row_id`); never that of a plain text in practice.
        """
        plain = replace(
            self,
            system=self.system and normalise(self.system),
            turns=tuple(replace(turn, content=normalise(turn.content)) for turn in self.turns),
        )
        return hashlib.blake2b(plain.to_json().encode(), digest_size=16).hexdigest()


def canonical(value: object) -> str:
    """Return JSON whose bytes are the same for the same value, as RFC 8785 sorts and spaces it.

    Raises
    ------
    ValueError
        For a number that is none, or a value that JSON does not know.
    """
    try:
        return json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
    except TypeError as error:
        raise ValueError(str(error)) from error
