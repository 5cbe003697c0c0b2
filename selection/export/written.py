"""How is a conversation written in a format, and what can the format not say?

What is written reads as the same conversation again (`selection.chats.formats`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from selection.chats.conversation import Conversation, Turn

Written = dict[str, object]


class CannotSay(ValueError):
    """What of a conversation a format has no place for."""


def as_messages(said: Conversation) -> Written:
    """OpenAI's messages; tools are a text of JSON beside them, which any table can hold."""
    return {"messages": _listed(said), **_tools(said)}


def as_sharegpt(said: Conversation) -> Written:
    """ShareGPT's turns; a call is a turn of its own, as LLaMA-Factory reads it.

    Raises
    ------
    CannotSay
        For an assistant that speaks and calls, calls several tools, or numbers its calls.
    """
    turns: list[Written] = [_shared(turn) for turn in said.turns]
    if said.system is not None:
        turns.insert(0, {"from": "system", "value": said.system})
    return {"conversations": turns, **_tools(said)}


def as_alpaca(said: Conversation) -> Written:
    """Alpaca's instruction and output, what was said before as `history`.

    Raises
    ------
    CannotSay
        For turns of tools, calls, and answers that are not to be trained on.
    """
    for turn in said.turns:
        if not turn.trained:
            raise CannotSay("an answer is not to be trained on")
        if turn.role == "tool":
            raise CannotSay("a tool speaks")
        if turn.tool_calls is not None:
            raise CannotSay("an assistant calls a tool")
    *before, asked, answer = (turn.content for turn in said.turns)
    row: Written = {"instruction": asked, "input": "", "output": answer}
    if said.system is not None:
        row["system"] = said.system
    if before:
        row["history"] = [list(pair) for pair in zip(before[::2], before[1::2], strict=True)]
    return row | _tools(said)


def as_prompt_completion(said: Conversation) -> Written:
    """All before the last answer, and that answer, each a list of messages.

    Raises
    ------
    CannotSay
        Where that answer is not to be trained on.
    """
    if not said.turns[-1].trained:
        raise CannotSay("the last answer is not to be trained on")
    messages = _listed(said)
    return {"prompt": messages[:-1], "completion": messages[-1:], **_tools(said)}


WRITERS: Mapping[str, Callable[[Conversation], Written]] = {
    "messages": as_messages,
    "sharegpt": as_sharegpt,
    "alpaca": as_alpaca,
    "prompt-completion": as_prompt_completion,
}
"""Formats that a conversation can be written in."""


def _listed(said: Conversation) -> list[Written]:
    messages = [_message(turn) for turn in said.turns]
    if said.system is not None:
        messages.insert(0, {"role": "system", "content": said.system})
    return messages


def _message(turn: Turn) -> Written:
    message: Written = {"role": turn.role, "content": turn.content}
    if turn.tool_calls is not None:
        message["tool_calls"] = _calls(json.loads(turn.tool_calls))
    if turn.name is not None:
        message["name"] = turn.name
    return message | _weight(turn)


def _weight(turn: Turn) -> Written:
    """OpenAI's word for an answer that is shown and not learnt."""
    return {} if turn.trained else {"weight": 0}


def _calls(calls: object) -> object:
    """Return calls that read the same: arguments that are a text of JSON would be read as JSON."""
    if isinstance(calls, list):
        return [_calls(call) for call in calls]
    function = calls.get("function") if isinstance(calls, dict) else None
    if not isinstance(calls, dict) or not isinstance(function, dict):
        return calls
    arguments = function.get("arguments")
    if not isinstance(arguments, str) or not _is_json(arguments):
        return calls
    return calls | {"function": function | {"arguments": json.dumps(arguments)}}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _shared(turn: Turn) -> Written:
    if turn.role == "assistant" and turn.tool_calls is not None:
        return {"from": "function_call", "value": _one_call(turn), **_weight(turn)}
    if turn.role == "tool":
        said: Written = {"from": "observation", "value": turn.content}
        return said | ({"name": turn.name} if turn.name is not None else {})
    side = "human" if turn.role == "user" else "gpt"
    return {"from": side, "value": turn.content, **_weight(turn)}


def _one_call(turn: Turn) -> str:
    calls = json.loads(turn.tool_calls or "null")
    if turn.content:
        raise CannotSay("an assistant speaks and calls a tool in one turn")
    if not isinstance(calls, list) or len(calls) != 1:
        raise CannotSay("an assistant calls several tools at once")
    [call] = calls
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or call != {"type": "function", "function": function}:
        raise CannotSay("a call has an id, or no function")
    arguments = function.get("arguments")
    if function.keys() != {"name", "arguments"} or not isinstance(function["name"], str):
        raise CannotSay("a call has not a name and arguments")
    if isinstance(arguments, str):
        raise CannotSay("the arguments of a call are no JSON")
    return json.dumps(function, ensure_ascii=False)


def _tools(said: Conversation) -> Written:
    return {} if said.tools is None else {"tools": said.tools}
