"""The formats that people have: the same conversation from each, in each container."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.chats.conversation import Conversation, Turn
from selection.config.pool import ColumnNames
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record

ASKED, ANSWERED = (
    "Why is the sky blue? \U0001f308",
    "Rayleigh: \u0627\u0644\u0633\u0645\u0627\u0621",
)
USER, GPT = {"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}
OTHER = {"role": "assistant", "content": "No idea."}

ROWS: Mapping[str, dict[str, Any]] = {
    "messages": {"messages": [USER, GPT]},
    "sharegpt": {
        "conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": ANSWERED}]
    },
    "preference": {"prompt": ASKED, "chosen": ANSWERED, "rejected": "No idea."},
    "alpaca": {"instruction": ASKED, "input": "", "output": ANSWERED},
    "prompt-completion": {"prompt": ASKED, "completion": ANSWERED},
    "prompt-response": {"prompt": ASKED, "response": ANSWERED},
    "question-answer": {"question": ASKED, "answer": ANSWERED},
}
"""One conversation in every format."""

SAME: Mapping[str, dict[str, Any]] = {
    "parts": {"messages": [USER | {"content": [{"type": "text", "text": ASKED}]}, GPT]},
    "roles of both kinds": {"conversations": [USER, GPT]},
    "a model's turn": {"messages": [USER, GPT | {"role": "model"}]},
    "preferences without a prompt": {"chosen": [USER, GPT], "rejected": [USER, OTHER]},
    "preferences in messages": {"prompt": [USER], "chosen": [GPT], "rejected": [OTHER]},
    "preferences with their prompt twice": {
        "prompt": ASKED,
        "chosen": [USER, GPT],
        "rejected": [USER, OTHER],
    },
    "a prompt in messages": {"prompt": [USER], "completion": [GPT]},
    "a completion in messages": {"prompt": ASKED, "completion": [GPT]},
    "a text beside": {"messages": [USER, GPT], "text": f"<user>{ASKED}<gpt>{ANSWERED}"},
    "other spaces": {"question": f"  {ASKED}\n", "answer": ANSWERED.replace(" ", "\t")},
}
"""The same, in other ways to write it."""


def write(path: Path, *rows: dict[str, Any]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows({name: as_text(cell) for name, cell in row.items()} for row in rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_text(cell: Any) -> str:
    return cell if isinstance(cell, str) else json.dumps(cell)


def read(path: Path, **columns: str) -> list[Record | BadRecord]:
    return list(read_path(path, columns=ColumnNames(**columns)))


def only(found: list[Record | BadRecord]) -> Record:
    [record] = found
    assert isinstance(record, Record), record
    return record


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "csv"])
@pytest.mark.parametrize("name", ROWS)
def test_every_format_in_every_container_is_the_same_conversation(tmp_path, name, ending):
    record = only(read(write(tmp_path / f"a.{ending}", ROWS[name])))
    assert (record.format, record.prompt, record.response) == (name, ASKED, ANSWERED)
    assert record.text == f"{ASKED}\n\n{ANSWERED}"
    assert (
        record.turns == Conversation((Turn("user", ASKED), Turn("assistant", ANSWERED))).to_json()
    )
    assert record.row_id == only(read(write(tmp_path / "b.jsonl", ROWS["messages"]))).row_id


@pytest.mark.parametrize("name", SAME)
def test_other_ways_to_write_it_are_the_same_row(tmp_path, name):
    record = only(read(write(tmp_path / "a.jsonl", SAME[name])))
    assert record.row_id == only(read(write(tmp_path / "b.jsonl", ROWS["messages"]))).row_id


def test_a_folder_may_mix_formats_and_a_file_too(tmp_path):
    for name, row in ROWS.items():
        write(tmp_path / f"{name}.jsonl", row)
    write(tmp_path / "mixed.jsonl", *ROWS.values(), {"text": "and a text"})
    found = read(tmp_path)
    assert sorted(r.format for r in found) == sorted([*ROWS, *ROWS, "text"])


def test_what_is_around_the_turns_is_kept(tmp_path):
    call = {"type": "function", "function": {"name": "sky", "arguments": {"hue": 1}}}
    tools = [{"type": "function", "function": {"name": "sky", "parameters": {}}}]
    row = {
        "tools": tools,
        "messages": [
            {"role": "system", "content": "Be brief."},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "blue", "name": "sky"},
            GPT,
        ],
    }
    said = Conversation.from_json(only(read(write(tmp_path / "a.jsonl", row))).turns)
    assert said.system == "Be brief."
    assert json.loads(said.tools) == tools
    assert [turn.role for turn in said.turns] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(said.turns[1].tool_calls) == [call]
    assert said.turns[2].name == "sky"


def test_a_call_of_sharegpt_is_one_of_openai(tmp_path):
    called = {"name": "sky", "arguments": {"hue": 1}}
    row = {
        "system": "Be brief.",
        "conversations": [
            {"from": "human", "value": ASKED},
            {"from": "function_call", "value": json.dumps(called)},
            {"from": "observation", "value": "blue"},
            {"from": "gpt", "value": ANSWERED},
        ],
    }
    said = Conversation.from_json(only(read(write(tmp_path / "a.jsonl", row))).turns)
    assert json.loads(said.turns[1].tool_calls) == [{"type": "function", "function": called}]
    assert (said.system, said.turns[2]) == ("Be brief.", Turn("tool", "blue"))


@pytest.mark.parametrize("written", [list, json.dumps])
def test_an_instruction_has_its_input_its_system_and_its_history(tmp_path, written):
    """A CSV has the history as a text of JSON."""
    row = ROWS["alpaca"] | {
        "input": "At noon.",
        "system": "Be brief.",
        "history": written([["Hello?", "Hello."]]),
    }
    said = Conversation.from_json(only(read(write(tmp_path / "a.jsonl", row))).turns)
    assert said.system == "Be brief."
    assert [turn.content for turn in said.turns] == [
        *("Hello?", "Hello."),
        f"{ASKED}\n\nAt noon.",
        ANSWERED,
    ]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"dialog": [USER, GPT]}, {"messages": "dialog"}),
        ({"task": ASKED, "result": ANSWERED}, {"instruction": "task", "output": "result"}),
        ({"q": ASKED, "answer": ANSWERED, "text": "other"}, {"question": "q"}),
        ({"q": ASKED, "chosen": ANSWERED, "rejected": "No."}, {"prompt": "q"}),
    ],
)
def test_columns_of_other_names_are_named_in_the_pool(tmp_path, row, columns):
    record = only(read(write(tmp_path / "a.jsonl", row), **columns))
    assert (record.prompt, record.response) == (ASKED, ANSWERED)


def test_a_named_text_is_what_counts(tmp_path):
    row = SAME["a text beside"]
    record = only(read(write(tmp_path / "a.jsonl", row), text="text"))
    assert (record.format, record.text, record.turns) == ("text", row["text"], None)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.isspace()
)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4), st.none() | texts)
def test_a_conversation_comes_back_from_its_json(pairs, system):
    turns = [
        Turn(role, said)
        for pair in pairs
        for role, said in zip(("user", "assistant"), pair, strict=True)
    ]
    said = Conversation(tuple(turns), system)
    assert Conversation.from_json(said.to_json()) == said
    assert said.text == said.prompt + "\n\n" + said.response
    shorter = Conversation(tuple(turns[2:]), system)
    assert not turns[2:] or shorter.row_id() != said.row_id()
