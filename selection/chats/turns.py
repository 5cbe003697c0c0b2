"""Which turns do messages say, and is anything wrong with them?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from selection.basics.text import text_fault
from selection.chats.conversation import Conversation, Role, Turn, canonical

CALL = "function_call"
"""How ShareGPT writes an answer that is nothing but a call."""

ROLES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("system", "developer"), "system"),
        **dict.fromkeys(("user", "human"), "user"),
        **dict.fromkeys(("assistant", "gpt", "model", "chatgpt"), "assistant"),
        **dict.fromkeys(("tool", "function", "observation"), "tool"),
        CALL: CALL,
    }
)
"""What OpenAI, ShareGPT and Gemma call the sides of a conversation."""

BEFORE: Mapping[Role, tuple[str | None, ...]] = MappingProxyType(
    {"user": (None, "assistant"), "assistant": ("user", "tool"), "tool": ("assistant", "tool")}
)
"""Whose turn may come before a role's; None for the first."""


class ChatFault(ValueError):
    """Why a row is no conversation: ``kind: detail``, not yet safe to print."""


def read_messages(
    messages: object, *, what: str, system: object = None, tools: object = None
) -> Conversation:
    """Read a list of messages, by OpenAI's names (role, content) or ShareGPT's (from, value).

    Nothing is repaired: what is not a whole conversation that ends with an answer is a fault.

    Parameters
    ----------
    messages : list of mappings, as JSON or Arrow gives them.
    what : their column, for messages.
    system, tools : columns beside them, where they have a value.

    Raises
    ------
    ChatFault
        Naming the turn, counted from 1.
    """
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        raise ChatFault(f"wrong type: column {what!r} is {_kind(messages)}, not a list of turns")
    said = told(system)
    turns: list[Turn] = []
    for place, message in enumerate(messages, start=1):
        where = f"turn {place} of {what!r}"
        if not isinstance(message, Mapping):
            raise ChatFault(f"wrong type: {where} is {_kind(message)}, not an object")
        role, content = _role(message, where), _content(message, where)
        if role == "system":
            if turns or said is not None:
                raise ChatFault(f"system in the middle: {where} is a system's, and not the first")
            said = _usable(content, f"{where} (system)")
        else:
            turns.append(_turn(message, role, content, where))
    return conversation(turns, what=what, system=said, tools=tools)


def conversation(
    turns: Sequence[Turn], *, what: str, system: str | None = None, tools: object = None
) -> Conversation:
    """Return turns as a conversation, or raise `ChatFault` for what is wrong with their order."""
    if not turns:
        raise ChatFault(f"no turns: {what!r} has none")
    before: str | None = None
    for place, turn in enumerate(turns, start=1):
        if before not in BEFORE[turn.role]:
            if before == turn.role:
                raise ChatFault(f"two {before} turns in a row: turns {place - 1} and {place}")
            after = f"follows {before!r}" if before else "is the first"
            raise ChatFault(f"turns out of order: turn {place} ({turn.role}) {after}")
        before = turn.role
    if before != "assistant":
        raise ChatFault(f"no answer: the last of {len(turns)} turns is {before}'s")
    return Conversation(tuple(turns), system, _json(tools, "tools"))


def spoken(role: Role, value: object, what: str) -> Turn:
    """Return the turn that a column of text says, or raise `ChatFault`."""
    if value is None:
        raise ChatFault(f"no {_name(role)}: column {what!r} has no value")
    if not isinstance(value, str):
        raise ChatFault(f"wrong type: column {what!r} is {_kind(value)}, not text")
    return Turn(role, _usable(value, f"column {what!r} ({_name(role)})"))


def told(value: object) -> str | None:
    """Return what a column says that the assistant was told; None for nothing."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ChatFault(f"wrong type: the system prompt is {_kind(value)}, not text")
    return _usable(value, "the system prompt")


def _name(role: Role) -> str:
    return "answer" if role == "assistant" else "question"


def _role(message: Mapping[str, object], where: str) -> str:
    said = message.get("role", message.get("from"))
    if said is None:
        raise ChatFault(f"no role: {where} has {_keys(message)}, and neither 'role' nor 'from'")
    role = ROLES.get(said.strip().lower()) if isinstance(said, str) else None
    if role is None:
        known = ", ".join(ROLES)
        raise ChatFault(f"unknown role: {where} is of {str(said)[:40]!r}; known are {known}")
    return role


def _content(message: Mapping[str, object], where: str) -> str | None:
    """Text of a message: itself, or its parts of text one after another."""
    names = [name for name in ("content", "value") if name in message]
    if not names:
        raise ChatFault(f"no content: {where} has {_keys(message)}")
    content = message[names[0]]
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise ChatFault(f"wrong type: the content of {where} is {_kind(content)}, not text")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else None
        if kind != "text" or not isinstance(text, str):
            raise ChatFault(f"not text: {where} has a part of type {str(kind or _kind(part))!r}")
        texts.append(text)
    return "".join(texts)


def _turn(message: Mapping[str, object], role: str, content: str | None, where: str) -> Turn:
    if role == CALL:
        return Turn("assistant", "", _one_call(content, where))
    assert role in BEFORE, "system and calls are told apart before"
    calls = _json(message.get("tool_calls"), "tool_calls") if role == "assistant" else None
    if calls and not (content or "").strip():
        return Turn("assistant", "", calls)
    name = message.get("name") if role == "tool" else None
    of_tool = _usable(name, f"the name of {where}") if isinstance(name, str) else None
    return Turn(cast("Role", role), _usable(content, f"{where} ({role})"), calls, of_tool)


def _one_call(content: str | None, where: str) -> str:
    """Return ShareGPT's call as OpenAI writes it."""
    try:
        call = json.loads(content or "")
    except ValueError as error:
        raise ChatFault(f"no call: {where} is a {CALL} and no JSON") from error
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise ChatFault(f"no call: {where} is a {CALL} without a name")
    function = {"name": call["name"], "arguments": call.get("arguments", {})}
    return canonical([{"type": "function", "function": function}])


def _json(value: object, what: str) -> str | None:
    """Return tools or calls as canonical JSON; None for none of them."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError as error:
            raise ChatFault(f"not JSON: {what!r} is a text that is none") from error
    value = _without_nulls(value)
    if value in (None, [], {}):
        return None
    try:
        said = canonical(value)
    except ValueError as error:
        raise ChatFault(f"not JSON: {what!r}: {error}") from error
    return _usable(said, f"{what!r}")


def _without_nulls(value: object) -> object:
    """Leave out what a table has to fill in where rows differ in their fields."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nulls(inner) for inner in value]
    return value


def _usable(text: str | None, where: str) -> str:
    if text is None:
        raise ChatFault(f"empty turn: {where} is null")
    fault = text_fault(text)
    if fault == "empty text":
        raise ChatFault(f"empty turn: {where} is blank")
    if fault:
        raise ChatFault(f"{fault}: in {where}")
    return text


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _keys(message: Mapping[str, object]) -> str:
    return ", ".join(repr(str(key))[:40] for key in list(message)[:8]) or "nothing"
