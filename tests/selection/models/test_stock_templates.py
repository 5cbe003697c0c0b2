"""Answers are found in the templates that models ship, where TRL's versions of them mark them.

TRL keeps the templates of well-known models, which have no marks, and beside them its own versions
for training, which have. Both write the same text here, so its marks are an independent reference.
"""

from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest
from chats import chat, messages_of
from transformers.utils.chat_template_utils import render_jinja_template

from selection.chats.conversation import Conversation, Turn, canonical
from selection.models.chat_template import write_chat

trl = pytest.importorskip("trl", reason="TRL, which the extra `trl` installs, is not there")

NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
FAMILIES = ("llama3", "gemma", "gemma3", "qwen2_5_vl", "qwen3_instruct_2507", "qwen3_vl", "cohere")
FAMILIES += ("cohere2", "lfm2", "lfm2_v2", "phi3", "phi3_5")

CALL = canonical([{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}])
CHATS = {
    "two questions": chat("Hi there", "Hello\nyou.", "Who?", "Me."),
    "white space": chat("Hi \n", "  Hello you.\n\n", "  Who", " Me "),
    "thoughts": chat(
        "Hi", "<think>\nhm\n</think>\n\nHello.", "Who?", "<think>\nw\n</think>\n\nMe."
    ),
}
CALLED = Conversation(
    (
        *(Turn("user", "Hi"), Turn("assistant", "", CALL)),
        *(Turn("tool", "42", name="f"), Turn("assistant", "It is 42.")),
    )
)


def shipped(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def found_by_us(name: str, conversation: Conversation) -> tuple[str, list[str]]:
    ends = {"phi3": ["<|end|>", "<|user|>"], "phi3_5": ["<|end|>", "<|user|>"]}.get(name, [])
    made: Any = SimpleNamespace(
        **NAMES,
        chat_template=shipped(name),
        special_tokens_map=NAMES,
        all_special_tokens=[*NAMES.values(), *ends],
        all_special_ids=list(range(2 + len(ends))),
        added_tokens_decoder={},
        get_chat_template=lambda tools: shipped(name),
    )
    written = write_chat(conversation, made)
    return written.text, [written.text[start:end] for start, end in written.answers]


def marked_by_trl(name: str, messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    [text], [ranges] = render_jinja_template(
        conversations=[messages],
        chat_template=shipped(f"{name}_training"),
        return_assistant_tokens_mask=True,
        **NAMES,
    )
    joined: list[list[int]] = []
    for start, end in ranges:
        if joined and joined[-1][1] == start:
            joined[-1][1] = end  # what ends the last turn has a mark of its own
        else:
            joined.append([start, end])
    return text, [text[start:end] for start, end in joined]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", CHATS)
def test_answers_of_a_stock_template_are_those_that_trl_marks(family, kind):
    conversation = CHATS[kind]
    assert "{% generation %}" not in shipped(family)
    assert found_by_us(family, conversation) == marked_by_trl(family, messages_of(conversation))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_instruct_2507", "qwen3_vl", "lfm2_v2"])
def test_calls_of_tools_are_answers_and_what_tools_say_is_none(family):
    messages = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "42", "name": "f"},
        {"role": "assistant", "content": "It is 42."},
    ]
    assert found_by_us(family, CALLED) == marked_by_trl(family, messages)


def test_earlier_answers_are_found_where_qwen_3_leaves_out_their_thoughts():
    text, answers = found_by_us("qwen3", CHATS["thoughts"])
    assert answers == ["Hello.<|im_end|>\n", "<think>\nw\n</think>\n\nMe.<|im_end|>\n"]
    assert "hm" not in text
    _, answers = found_by_us("gptoss", CHATS["two questions"])
    assert answers[0].startswith("Hello\nyou.") and answers[1].endswith("Me.<|return|>")
