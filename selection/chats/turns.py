"""Which turns do messages say, and is anything wrong with them?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from selection.basics.json_depth import depth_exceeds
from selection.basics.json_keys import RepeatedKey, distinct_keys
from selection.basics.text import text_fault
from selection.chats.conversation import ChatFault, Conversation, Role, Turn, canonical
from selection.chats.trained import is_trained

EMPTY = (None, "", [])
"""How tables and lines say that a row has nothing in a column."""

CALL = "function_call"
"""How ShareGPT writes an answer that is nothing but a call."""

CALLS = ("tool_calls", CALL)
"""Where OpenAI's messages have their calls, today and before."""

MAX_DEPTH = 32
"""Of JSON in a text: Python's parser recurses, so its own limit would depend on who calls it."""

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


def read_messages(
    messages: object, *, what: str, system: object = None, tools: object = None
) -> Conversation:
    """Read a list of messages, by OpenAI's names (role, content) or ShareGPT's (from, value).

    Nothing is repaired: what is not a whole conversation that ends with an answer is a fault.

    Parameters
    ----------
    messages : list of mappings, as JSON or Arrow gives them, or a text of JSON, as a CSV must.
    what : their column, for messages.
    system, tools : columns beside them, where they have a value.

    Raises
    ------
    ChatFault
        Naming the turn, counted from 1.
    """
    messages = parsed(messages, what)
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
            is_trained(message, where, role, is_answer=False)
            told_here = told(content, f"{where} (system)")
            if turns or (said is not None and told_here is not None):
                raise ChatFault(f"system in the middle: {where} is a system's, and not the first")
            said = said or told_here
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
    if not any(turn.trained for turn in turns if turn.role == "assistant"):
        raise ChatFault("no answer to train on: its messages say so of each")
    return Conversation(tuple(turns), system, _json(parsed(tools, "tools")))


def spoken(role: Role, value: object, what: str) -> Turn:
    """Return the turn that a column of text says, or raise `ChatFault`."""
    if value is None:
        raise ChatFault(f"no {_name(role)}: column {what!r} has no value")
    if not isinstance(value, str):
        raise ChatFault(f"wrong type: column {what!r} is {_kind(value)}, not text")
    return Turn(role, _usable(value, f"column {what!r} ({_name(role)})"))


def told(value: object, where: str = "the system prompt") -> str | None:
    """Return what a column, or a system's turn, tells the assistant; None where it is blank.

    Many write a system prompt in every row, and an empty one where there is none.
    """
    if value in EMPTY:
        return None
    if not isinstance(value, str):
        raise ChatFault(f"wrong type: {where} is {_kind(value)}, not text")
    return _usable(value, where) if value.strip() else None


def side_of(said: object) -> str | None:
    """Return whose turn it is, by our names; None for what no side is called."""
    return ROLES.get(said.strip().lower()) if isinstance(said, str) else None


def _name(role: Role) -> str:
    return "answer" if role == "assistant" else "question"


def _role(message: Mapping[str, object], where: str) -> str:
    said = _either(message, "role", "from", where)
    if said is None:
        raise ChatFault(f"no role: {where} has {_keys(message)}, and no 'role' or 'from'")
    role = side_of(said)
    if role is None:
        known = ", ".join(ROLES)
        raise ChatFault(f"unknown role: {where} is of {str(said)[:40]!r}; known are {known}")
    return role


def _either(message: Mapping[str, object], name: str, other: str, where: str) -> object:
    """Return what a message says under either of two names."""
    said, also = message.get(name), message.get(other)
    if said is not None and also is not None and said != also:
        raise ChatFault(f"two values: {where} has {name!r} and {other!r}, which differ")
    return also if said is None else said


def _content(message: Mapping[str, object], where: str) -> str | None:
    """Text of a message: itself, or its parts of text one after another."""
    content = _either(message, "content", "value", where)
    if content is None and not message.keys() & {"content", "value", *CALLS}:
        raise ChatFault(f"no content: {where} has {_keys(message)}")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise ChatFault(f"wrong type: the content of {where} is {_kind(content)}, not text")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else _kind(part)
        if kind != "text":
            raise ChatFault(f"not text: {where} has a part of type {str(kind)!r}")
        text = part.get("text")
        if not isinstance(text, str):
            raise ChatFault(f"wrong type: a part of {where} has a {_kind(text)} for a text")
        texts.append(text)
    return "".join(texts)


def _turn(message: Mapping[str, object], role: str, content: str | None, where: str) -> Turn:
    trained = is_trained(message, where, role, is_answer=role in ("assistant", CALL))
    if role == CALL:
        return Turn("assistant", "", _one_call(content, where), trained=trained)
    assert role in BEFORE, "system and calls are told apart before"
    calls = _calls(message, where) if role == "assistant" else None
    if calls and not (content or "").strip():
        return Turn("assistant", "", calls, trained=trained)
    name = message.get("name") if role == "tool" else None
    of_tool = _usable(name, f"the name of {where}") if isinstance(name, str) and name else None
    content = _usable(content, f"{where} ({role})")
    return Turn(cast("Role", role), content, calls, of_tool, trained)


def _calls(message: Mapping[str, object], where: str) -> str | None:
    """Return the calls of a message, in OpenAI's newer form or its older one of a single call."""
    several, one = (message.get(name) for name in CALLS)
    value = parsed(several, "tool_calls")
    if one is not None:
        if value:
            raise ChatFault(f"two values: {where} has {' and '.join(map(repr, CALLS))}")
        value = [{"type": "function", "function": parsed(one, CALL)}]
    return _json([_with_arguments(call) for call in value] if isinstance(value, list) else value)


def _with_arguments(call: object) -> object:
    """Return a call whose arguments are JSON's, where they are a text of it: both are in use."""
    function = call.get("function") if isinstance(call, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping) or not arguments:
        return call
    try:
        read = parsed(arguments, "arguments")
    except ChatFault:
        return call  # an assistant's slip, which is what it is to be trained on
    return {**call, "function": {**function, "arguments": read}}


def _one_call(content: str | None, where: str) -> str | None:
    """Return ShareGPT's call as OpenAI writes it."""
    try:
        call = parsed(content, CALL)
    except ChatFault as fault:
        raise ChatFault(f"no call: {where} is a {CALL}: {fault}") from fault
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise ChatFault(f"no call: {where} is a {CALL} without a name")
    if call.keys() - {"name", "arguments"}:
        raise ChatFault(f"no call: {where} has {_keys(call)}, not a name and arguments")
    function = {"name": call["name"], "arguments": call.get("arguments", {})}
    return _json([_with_arguments({"type": "function", "function": function})])


def parsed(value: object, what: str) -> object:
    """Return what a text of JSON says, and any other value as it is."""
    if not isinstance(value, str):
        return value
    if depth_exceeds(value.encode("utf-8", "surrogatepass"), MAX_DEPTH):
        raise ChatFault(f"nested too deeply: over {MAX_DEPTH} levels of JSON in {what!r}")
    try:
        return json.loads(value, object_pairs_hook=distinct_keys) if value.strip() else None
    except RepeatedKey as error:
        raise ChatFault(f"{error}, in {what!r}") from error
    except ValueError as error:
        raise ChatFault(f"not JSON: {what!r} is a text that is none") from error


def _json(value: object) -> str | None:
    """Return tools or calls as canonical JSON; None for none of them."""
    if value in (None, [], {}):
        return None
    if not isinstance(value, list | dict):
        raise ChatFault(f"wrong type: tools or their calls are {_kind(value)}, not a list")
    try:
        said = canonical(value)
    except ValueError as error:
        raise ChatFault(f"not JSON: tools or their calls: {error}") from error
    return _usable(said, "tools or their calls")


def without_nulls(value: object) -> object:
    """Leave out what a table has to fill in where rows differ in their fields."""
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [without_nulls(inner) for inner in value]
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
