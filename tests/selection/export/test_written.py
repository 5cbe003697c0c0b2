"""What is written in a format reads as the same conversation again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.chats.conversation import Conversation, Turn, canonical
from selection.chats.formats import CHATS
from selection.export.written import WRITERS, CannotSay

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Mn", "Me", "Mc"]), min_size=1
).filter(lambda text: text.strip())
NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.sampled_from(["1", "{", '"x"', "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def calls(draw: st.DrawFn) -> str:
    several = draw(st.integers(1, 2))
    made = []
    for _ in range(several):
        arguments = draw(st.dictionaries(NAMES, VALUES, max_size=2) | WORDS)
        call = {"type": "function", "function": {"name": draw(NAMES), "arguments": arguments}}
        made.append(call | draw(st.sampled_from([{}, {"id": "call_1"}])))
    return canonical(made)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    turns = []
    for _ in range(draw(st.integers(1, 3))):
        turns.append(Turn("user", draw(WORDS)))
        for _ in range(draw(st.integers(0, 2))):
            said = draw(st.sampled_from(["", "Let me look."]))
            turns.append(Turn("assistant", said, draw(calls())))
            turns += [
                Turn("tool", draw(WORDS), name=draw(st.none() | NAMES))
                for _ in range(draw(st.integers(1, 2)))
            ]
        turns.append(Turn("assistant", draw(WORDS)))
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    for place in draw(st.sets(st.sampled_from(answers), max_size=len(answers) - 1)):
        turns[place] = replace(turns[place], trained=False)
    tools = draw(st.none() | st.just(canonical([{"type": "function", "function": {"name": "f"}}])))
    return Conversation(tuple(turns), draw(st.none() | WORDS), tools)


def read(row: dict, name: str) -> Conversation:
    [known] = [one for one in CHATS if one.name == name]
    fields = (*known.needs, *known.may)
    assert row.keys() <= set(fields)
    return known.read({field: row.get(field) for field in fields}, {f: f for f in fields})


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None)
@given(said=conversations())
def test_a_conversation_that_a_format_can_say_reads_as_the_same_again(name, said):
    try:
        row = WRITERS[name](said)
    except CannotSay:
        with_tools = any(turn.role == "tool" for turn in said.turns)
        all_trained = all(turn.trained for turn in said.turns)
        assert {
            "sharegpt": with_tools,
            "alpaca": with_tools or not all_trained,
            "prompt-completion": not said.turns[-1].trained,
        }[name]
        return
    assert read(json.loads(json.dumps(row)), name) == said


@given(said=conversations())
def test_alpaca_says_whatever_has_no_tools_and_is_trained_on(said):
    spoken = (turn for turn in said.turns if turn.role != "tool" and turn.tool_calls is None)
    plain = [replace(turn, trained=True) for turn in spoken]
    asked = Conversation(tuple(plain), said.system, said.tools)
    assert read(WRITERS["alpaca"](asked), "alpaca") == asked


def test_what_sharegpt_cannot_say_is_named():
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    asked, told, end = Turn("user", "Ask."), Turn("tool", "Told."), Turn("assistant", "So it is.")

    def with_calls(content: str, *made: dict) -> Conversation:
        return Conversation((asked, Turn("assistant", content, canonical([*made])), told, end))

    written = WRITERS["sharegpt"](with_calls("", call))
    turns = written["conversations"]
    assert isinstance(turns, list)
    assert turns[1] == {"from": "function_call", "value": '{"arguments": {"x": 1}, "name": "f"}'}
    for said, why in (
        (with_calls("I look.", call), "speaks and calls"),
        (with_calls("", call, call), "several tools"),
        (with_calls("", call | {"id": "1"}), "has an id"),
    ):
        with pytest.raises(CannotSay, match=why):
            WRITERS["sharegpt"](said)
