"""Which chat template does a tokenizer write a conversation with, and what text comes of it?"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selection.chats.conversation import Conversation, Turn
from selection.models.chat_spans import answer_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHATML_END = "<|im_end|>"

PLAIN_CHATML = """\
{%- if tools %}
    {{- '<|im_start|>tools\\n' + (tools | tojson) + END + '\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] }}
    {%- if message['tool_calls'] %}
        {{- ('\\n' if message['content'] else '') + (message['tool_calls'] | tojson) }}
    {%- endif %}
    {{- END + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
"""For a tokenizer without a template; END is what ends a turn."""

_STAND_INS = range(0xF0000, 0xFFFFD)
"""Code points of no character: what stands in a rendering for a special token's name in a text."""


class TemplateRefusal(ValueError):
    """Why a template cannot say a conversation: a reason to set the row aside."""


@dataclass(frozen=True)
class ChatText:
    """A conversation as its template writes it.

    Attributes
    ----------
    text : str
    answers : tuple of (int, int)
        Half-open ranges of its characters, in order: what the assistant is to write, each with
        what ends the turn.
    turns : tuple of int
        To which of the assistant's turns each range belongs, from 0 on.
    names : tuple of (int, int)
        Ranges of special tokens' names that stand in what somebody said, and so are text.
    """

    text: str
    answers: tuple[tuple[int, int], ...]
    turns: tuple[int, ...]
    names: tuple[tuple[int, int], ...]


def own_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer brings a chat template."""
    return bool(tokenizer.chat_template)


def with_template(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Give a tokenizer plain ChatML where it has no template, in place, so that it is saved too.

    A turn ends with the token `<|im_end|>` where the vocabulary has it, else with the end of text:
    no text that somebody wrote can be either.
    """
    if not own_template(tokenizer):
        special = CHATML_END in special_names(tokenizer)
        end = f"'{CHATML_END}'" if special else "eos_token"
        # where rows begin with a token of their own, chats do so too
        lead = (
            "{{- bos_token }}\n" if tokenizer.bos_token not in (None, tokenizer.eos_token) else ""
        )
        tokenizer.chat_template = lead + PLAIN_CHATML.replace("END", end)
    return tokenizer


def special_names(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Name to id of every token that no text may become."""
    added = tokenizer.added_tokens_decoder
    found = {str(token): number for number, token in added.items() if token.special}
    return found | dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))


def write_chat(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> ChatText:
    """Write a conversation as the tokenizer's template does; plain ChatML where it has none.

    Raises
    ------
    TemplateRefusal
        When the template raises, or leaves out the system prompt.
    TemplateUnreadable
        When the answers are not to be found in what it writes (`selection.models.chat_spans`).
    """
    with_template(tokenizer)
    names = special_names(tokenizer)
    stand_ins = _stand_ins(conversation, names)
    messages, tools = _messages(conversation, stand_ins)
    template = tokenizer.get_chat_template(tools=tools)
    plain = dict(tokenizer.special_tokens_map)

    def write(said: Sequence[Mapping[str, Any]], *, prompt: bool = False) -> str:
        text, _ = _run(template, said, tools, plain, prompt=prompt)
        return text

    text, marked = _run(template, messages, tools, plain, marks=True)
    if conversation.system is not None:
        system = messages[0]["content"].strip()
        if system not in text:
            raise TemplateRefusal("the template leaves out the system prompt")
    if marked:
        places = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
        # A turn may have several marks, or none.
        before = [
            len(_run(template, messages[:place], tools, plain, marks=True)[1])
            for place in places[1:]
        ]
        spans, turns = marked, [bisect_right(before, number) for number in range(len(marked))]
    else:
        spans = answer_spans(messages, text, write, names)
        turns = list(range(len(spans)))
    return _restored(text, spans, turns, {char: name for name, char in stand_ins.items()})


def _run(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    tools: list[dict[str, Any]] | None,
    special: Mapping[str, Any],
    *,
    prompt: bool = False,
    marks: bool = False,
) -> tuple[str, list[tuple[int, int]]]:
    """Text that a template writes, and the ranges that it marks as generated, if it marks any."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    marks = marks and re.search(r"\{%-?\s*generation\s*-?%\}", template) is not None
    if not messages:
        return "", []
    try:
        [text], ranges = render_jinja_template(  # pyright: ignore[reportAssignmentType]
            conversations=[list(messages)],  # pyright: ignore[reportArgumentType]
            tools=tools,  # pyright: ignore[reportArgumentType]
            chat_template=template,
            return_assistant_tokens_mask=marks,
            add_generation_prompt=prompt,
            **special,
        )
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise TemplateRefusal(f"the template refuses it: {error}") from error
    marked: Any = ranges[0] if marks else []
    return text, [(int(start), int(end)) for start, end in marked]


def _stand_ins(conversation: Conversation, names: Mapping[str, int]) -> dict[str, str]:
    """Character that stands for each special token's name that the conversation has as text."""
    said = conversation.to_json()
    found = [name for name in names if name in said or json.dumps(name)[1:-1] in said]
    if not found:
        return {}
    free = (chr(point) for point in _STAND_INS if chr(point) not in said)
    # A longer name first: it may begin with a shorter one.
    return {name: next(free) for name in sorted(found, key=lambda name: (-len(name), name))}


def _messages(
    conversation: Conversation, stand_ins: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """Messages and tools as templates take them, without a special token's name in any text."""

    def safe(value: Any) -> Any:
        if isinstance(value, str):
            for name, char in stand_ins.items():
                value = value.replace(name, char)
            return value
        if isinstance(value, list):
            return [safe(inner) for inner in value]
        if isinstance(value, dict):
            return {safe(key): safe(inner) for key, inner in value.items()}
        return value

    def message(turn: Turn) -> dict[str, Any]:
        said: dict[str, Any] = {"role": turn.role, "content": turn.content}
        if turn.tool_calls is not None:
            said["tool_calls"] = json.loads(turn.tool_calls)
        if turn.name is not None:
            said["name"] = turn.name
        return safe(said)

    messages = [message(turn) for turn in conversation.turns]
    if conversation.system is not None:
        messages.insert(0, safe({"role": "system", "content": conversation.system}))
    tools = None if conversation.tools is None else safe(json.loads(conversation.tools))
    return messages, tools if tools is None or isinstance(tools, list) else [tools]


def _restored(
    text: str,
    spans: Sequence[tuple[int, int]],
    turns: Sequence[int],
    name_of: Mapping[str, str],
) -> ChatText:
    """Put names back where characters stand for them, and move the ranges along."""
    if not name_of:
        return ChatText(text, tuple(spans), tuple(turns), ())
    parts, names, moved = [], [], [0] * (len(text) + 1)
    length = 0
    for place, char in enumerate(text):
        moved[place] = length
        part = name_of.get(char, char)
        if part is not char:
            names.append((length, length + len(part)))
        parts.append(part)
        length += len(part)
    moved[len(text)] = length
    ranges = tuple((moved[start], moved[end]) for start, end in spans)
    return ChatText("".join(parts), ranges, tuple(turns), tuple(names))
