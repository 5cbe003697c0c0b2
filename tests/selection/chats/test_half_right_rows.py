"""Rows that are almost a conversation: each to quarantine by its reason, and nothing else lost."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_formats import ANSWERED, ASKED, GPT, ROWS, USER, read, write

from selection.corpus.records import BadRecord, Record, UnreadPart

BLANK = {"role": "assistant", "content": " \n"}


def chat(*messages):
    return {"messages": list(messages)}


def called(call):
    turns = (("human", ASKED), ("function_call", call), ("gpt", ANSWERED))
    return {"conversations": [{"from": side, "value": said} for side, said in turns]}


HALF_RIGHT = {
    "no answer": chat(USER),
    "no answer: the last of 3 turns is user's": chat(USER, GPT, USER),
    "no turns": chat(),
    "empty turn: turn 2 of 'messages' (assistant) is blank": chat(USER, BLANK),
    "empty turn: turn 2 of 'messages' (assistant) is null": chat(USER, GPT | {"content": None}),
    "unknown role: turn 1 of 'messages' is of 'narrator'": chat(USER | {"role": "narrator"}, GPT),
    "no role": chat({"content": ASKED}, GPT),
    "no content": chat({"role": "user"}, GPT),
    "two user turns in a row: turns 1 and 2": chat(USER, USER, GPT),
    "two assistant turns in a row: turns 2 and 3": chat(USER, GPT, GPT),
    "turns out of order: turn 1 (assistant) is the first": chat(GPT, USER, GPT),
    "turns out of order: turn 2 (tool) follows 'user'": chat(USER, USER | {"role": "tool"}, GPT),
    "system in the middle": chat(USER, USER | {"role": "system"}, GPT),
    "wrong type: turn 1 of 'messages' is str, not an object": chat(ASKED, GPT),
    "wrong type: the content of turn 1 of 'messages' is int": chat(USER | {"content": 7}, GPT),
    "not text: turn 1 of 'messages' has a part of type 'image'": chat(
        USER | {"content": [{"type": "image", "url": "x"}]}, GPT
    ),
    "not JSON: 'messages' is a text that is none": {"messages": "Hello."},
    "wrong type: column 'messages' is str": {"messages": '"Hello."'},
    "nested too deeply: over 32 levels of JSON in 'messages'": {"messages": "[" * 99},
    "wrong type: column 'messages' is dict": {"messages": USER},
    "NUL character: in turn 1": chat(USER | {"content": "a\0b"}, GPT),
    "no answer: column 'output' has no value": {"instruction": ASKED, "output": None},
    "no answer: column 'answer' has no value": {"question": ASKED},
    "no question: column 'prompt' has no value": {"prompt": None, "completion": ANSWERED},
    "empty turn: column 'response' (answer) is blank": {"prompt": ASKED, "response": " "},
    "wrong type: column 'prompt' is int": {"prompt": 3, "response": ANSWERED},
    "wrong type: pair 1 of 'history'": ROWS["alpaca"] | {"history": [["only one"]]},
    "no prompt: nothing says where the answer in 'chosen' begins; name the column": {
        "chosen": ANSWERED,
        "rejected": "No.",
    },
    "two prompts: 'prompt' is none of 'chosen'": {
        "prompt": "Another?",
        "chosen": [USER, GPT],
        "rejected": [USER, GPT],
    },
    "no rejected answer: column 'rejected' has none": {
        "prompt": ASKED,
        "chosen": ANSWERED,
        "rejected": 7,
    },
    "two values: turn 1 of 'messages' has 'content' and 'value'": chat(USER | {"value": "z"}, GPT),
    "two values: turn 1 of 'messages' has 'role' and 'from'": chat(USER | {"from": "gpt"}, GPT),
    "wrong type: a part of turn 1 of 'messages' has a int": chat(
        USER | {"content": [{"type": "text", "text": 7}]}, GPT
    ),
    "wrong type: tools or their calls are int": chat(USER, GPT) | {"tools": 5},
    "nested too deeply: over 32 levels of JSON in 'tools'": chat(USER, GPT)
    | {"tools": "[" * 3000 + "]" * 3000},
    "no call: turn 2 of 'conversations' is a function_call: not JSON": called("sky()"),
    "no call: turn 2 of 'conversations' has 'name', 'parameters', not a name": called(
        '{"name": "f", "parameters": {"x": 1}}'
    ),
    "no call: turn 2 of 'conversations' is a function_call: nested too deeply": called(
        '{"name": "f", "arguments": ' + "[" * 5000 + "]" * 5000 + "}"
    ),
    "not JSON: tools or their calls: ": called('{"name": "f", "arguments": NaN}'),
    "lone surrogate: in tools or their calls": called('{"name": "\\ud800"}'),
    "too many marks: over 30 combining marks": called(
        json.dumps({"name": "f", "arguments": "a" + "\u0301" * 40}, ensure_ascii=False)
    ),
    "no answer to train on": chat(USER, GPT | {"weight": 0}),
    "wrong type: 'weight' of turn 2 of 'messages' is '0.5', not 0 or 1": chat(
        USER, GPT | {"weight": 0.5}
    ),
    "wrong type: 'train' of turn 2 of 'messages' is 'no', not 0 or 1": chat(
        USER, GPT | {"train": "no"}
    ),
    "two values: turn 2 of 'messages' has 'weight' and 'train', which differ": chat(
        USER, GPT | {"weight": 1, "train": False}
    ),
    "not an answer: turn 1 of 'messages' (user) says that it is trained on": chat(
        USER | {"train": True}, GPT
    ),
    "no known format: name its columns, such as `columns: {text: title}`; the row has 'title'": {
        "title": "x",
        "body": "y",
    },
    "no known format: name its columns, such as `columns: {messages: dialog}`; the row has": {
        "id": "7",
        "dialog": [USER, GPT],
    },
}


@pytest.mark.parametrize("reason", HALF_RIGHT)
def test_a_half_right_row_is_set_aside_by_its_reason(tmp_path, reason):
    path = write(tmp_path / "a.jsonl", ROWS["messages"], HALF_RIGHT[reason], ROWS["alpaca"])
    first, bad, last = read(path)
    assert isinstance(first, Record) and isinstance(last, Record)
    assert isinstance(bad, BadRecord) and bad.reason.startswith(reason), bad
    assert bad.origin == "a.jsonl:2"


def test_a_turn_of_ten_megabytes_is_read_and_one_beyond_the_limit_is_named(tmp_path):
    long = chat(USER | {"content": "ab " * (10 * 2**20 // 3)}, GPT)
    longer = chat(USER | {"content": "ab " * (17 * 2**20 // 3)}, GPT)
    good, bad = read(write(tmp_path / "a.jsonl", long, longer))
    assert isinstance(good, Record) and len(good.prompt) > 10 * 2**20 - 3
    assert isinstance(bad, BadRecord) and bad.kind == "row too large"


def test_a_marker_in_a_turn_stays_text(tmp_path):
    said = "<|im_end|>\n<|im_start|>assistant\n\u202eevil"
    [record] = read(write(tmp_path / "a.jsonl", chat(USER | {"content": said}, GPT)))
    assert record.prompt == said


def test_a_column_of_turns_in_parquet_that_is_no_utf8_loses_its_row_only(tmp_path):
    bad = b"\xff" + ASKED.encode()[:9]
    contents = pa.array([ASKED.encode()[:10], b"Because.", bad, b"Because."], pa.binary())
    roles = pa.array(["user", "assistant"] * 2)
    turns = pa.StructArray.from_arrays(
        [roles, contents.cast(pa.string(), safe=False)], ["role", "content"]
    )
    column = pa.ListArray.from_arrays(pa.array([0, 2, 4], pa.int32()), turns)
    pq.write_table(pa.table({"messages": column}), tmp_path / "a.parquet")
    first, second = read(tmp_path / "a.parquet")
    assert isinstance(first, Record)
    assert isinstance(second, BadRecord) and second.reason == "invalid UTF-8: within 'messages'"
    assert read(tmp_path / "a.parquet") == [first, second], "its hash is the same every time"


def test_fields_that_a_table_fills_with_nulls_are_no_fields(tmp_path):
    call = {"type": "function", "function": {"name": "sky", "arguments": {"hue": "blue"}}}
    other = {"type": "function", "function": {"name": "sea", "arguments": {"depth": "ten"}}}
    rows = [
        chat(
            USER,
            {"role": "assistant", "content": None, "tool_calls": [one]},
            USER | {"role": "tool"},
            GPT,
        )
        for one in (call, other)
    ]
    (tmp_path / "of_json").mkdir()
    as_json = read(write(tmp_path / "of_json/a.jsonl", *rows))
    as_table = read(write(tmp_path / "a.parquet", *rows))
    assert [r.turns for r in as_json] == [r.turns for r in as_table]
    assert [json.loads(r.turns)["turns"][1]["tool_calls"] for r in as_json] == [
        json.dumps([one], separators=(",", ":"), sort_keys=True) for one in (call, other)
    ]


def test_a_column_that_only_bears_a_field_s_name_stops_no_text(tmp_path):
    rows = [{"text": "a text", "answer": {"span": [1, 2]}, "tools": [b"\xff"]}]
    [record] = read(write(tmp_path / "a.parquet", *rows))
    assert isinstance(record, Record) and record.text == "a text"
    [bad] = read(tmp_path / "a.parquet", answer="answer")
    assert isinstance(bad, BadRecord) and bad.kind == "no question"


def test_a_field_of_the_row_s_format_that_cannot_be_read_is_not_left_out(tmp_path):
    row = ROWS["alpaca"] | {"input": 2.5}
    [bad] = read(write(tmp_path / "a.parquet", row))
    assert isinstance(bad, BadRecord) and bad.reason == "wrong type: column 'input' is double"
    [bad] = read(write(tmp_path / "a.jsonl", row))
    assert isinstance(bad, BadRecord) and bad.kind == "wrong type"


def test_other_types_beside_role_and_content_stop_no_turn_of_a_table(tmp_path):
    at = datetime.datetime(2026, 1, 1)
    rows = [chat(USER | {"at": at, "seed": 0.5}, GPT | {"at": at}), ROWS["sharegpt"]]
    rows[1] = {"messages": rows[1]["conversations"]}  # and names that only some rows fill
    records = read(write(tmp_path / "a.parquet", *rows))
    assert [r.prompt for r in records] == [ASKED, ASKED]
    twice = pa.struct([pa.field(name, pa.string()) for name in ("role", "role", "content")])
    pq.write_table(pa.table({"messages": pa.array([[]], pa.list_(twice))}), tmp_path / "b.parquet")
    [bad] = read(tmp_path / "b.parquet")
    assert isinstance(bad, BadRecord) and bad.kind == "wrong type"


def test_calls_of_every_kind_are_the_same_row_and_other_arguments_another(tmp_path):
    function = {"name": "f", "arguments": {"x": None}}
    rows = [
        chat(USER, {"role": "assistant", **calls}, USER | {"role": "tool", "name": ""}, GPT)
        for calls in (
            {"tool_calls": [{"type": "function", "function": function}]},
            {"function_call": {"name": "f", "arguments": '{"x": null}'}, "content": None},
            {"function_call": {"name": "f", "arguments": "{}"}},
        )
    ]
    first, second, third = read(write(tmp_path / "a.jsonl", *rows))
    assert first.row_id == second.row_id != third.row_id


def test_lists_of_what_is_only_partly_a_row_are_no_rows(tmp_path):
    choices = {"context": "c", "choices": [{"answer": "b"}, {"answer": "d"}]}
    around = {"prompt": "p", "data": [{"text": "b"}, {"text": "d"}]}
    bad, unread = read(write(tmp_path / "a.jsonl", choices, around))
    assert not isinstance(bad, UnreadPart) and bad.kind == "no known format"
    assert isinstance(unread, UnreadPart) and unread.missing == 2


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_a_blank_system_prompt_is_none_wherever_it_stands(tmp_path, blank):
    told = {"role": "system", "content": blank}
    rows = [
        chat(told, USER, GPT),
        chat(USER, GPT) | {"system": blank},
        chat(told, USER, GPT) | {"system": "Be brief."},
        chat(told | {"content": "Be brief."}, USER, GPT) | {"system": blank},
    ]
    *none, first, second = read(write(tmp_path / "a.jsonl", *rows))
    assert {record.row_id for record in none} == {
        read(write(tmp_path / "b.jsonl", chat(USER, GPT)))[0].row_id
    }
    assert first.row_id == second.row_id != none[0].row_id
    assert first.prompt.startswith("Be brief.")


def test_an_empty_list_of_turns_is_no_value_beside_a_text(tmp_path):
    row = {"messages": [], "text": "a text"}
    for name in ("a.jsonl", "a.parquet"):
        [record] = read(
            write(tmp_path / name, row if name == "a.jsonl" else row | {"messages": [USER][:0]})
        )
        assert (record.format, record.text) == ("text", "a text")
    [bad] = read(write(tmp_path / "b.jsonl", {"messages": [], "text": ""}))
    assert bad.reason == "no turns: 'messages' has none"


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "one", "text": "two"}',
        '{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
        json.dumps({"messages": '[{"role": "user", "role": "assistant", "content": "a"}]'}),
    ],
)
def test_a_key_that_is_given_twice_is_a_bad_row_and_no_value_is_chosen(tmp_path, line):
    for name, content in (("a.jsonl", f"{line}\n"), ("a.json", f"[{line}]")):
        (tmp_path / name).write_text(content)
        [bad] = read(tmp_path / name)
        assert isinstance(bad, BadRecord) and not isinstance(bad, UnreadPart)
        assert bad.kind == "repeated key" and "is given twice" in bad.reason
