"""Bad input of each format in each container: a reason by row, and nothing is lost."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from containers import CONTAINERS, TABLES, write_rows
from ingesting import ingested
from test_formats import ANSWERED, ASKED, GPT, OTHER, ROWS, USER

from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record

Row = dict[str, Any]
Bad = Mapping[str, tuple[Row, str]]
"""What is wrong -> a row of it, and what its reason says."""

RTL = "\u05e9\u05dc\u05d5\u05dd \u202b\u0645\u0631\u062d\u0628\u0627\u202c"
NARRATOR = {"role": "narrator", "content": ASKED}


def turns(column: str, role: str, said: str, sides: tuple[str, str]) -> Bad:
    """Faults of a list of turns."""
    user, assistant = {role: sides[0], said: ASKED}, {role: sides[1], said: RTL}
    return {
        "wrong role": ({column: [user | {role: "narrator"}, assistant]}, "unknown role: turn 1"),
        "missing answer": ({column: [user]}, "no answer"),
        "no turns": ({column: []}, "no turns"),
        # A table has nulls in the place of values that are not there.
        "null content": ({column: [user, assistant | {said: None}]}, "turn 2 of"),
        "null turn": ({column: [user, None]}, "wrong type: turn 2 of"),
        "blank turn": ({column: [user, assistant | {said: " \n"}]}, "empty turn: turn 2"),
        "two users": ({column: [user, user, assistant]}, "two user turns in a row"),
    }


def pair(asked: str, answered: str) -> Bad:
    """Faults of a question and its answer."""
    good = {asked: ASKED, answered: ANSWERED}
    return {
        "missing answer": (good | {answered: None}, f"no answer: column '{answered}' has no value"),
        "null question": (good | {asked: None}, "no question"),
        "blank answer": (good | {answered: " \n"}, "empty turn"),
    }


PLAIN: Mapping[str, Bad] = {
    "messages": turns("messages", "role", "content", ("user", "assistant")),
    "sharegpt": turns("conversations", "from", "value", ("human", "gpt")),
    "preference": {
        "missing answer": (ROWS["preference"] | {"chosen": None}, "no answer"),
        "null rejected": (ROWS["preference"] | {"rejected": None}, "no rejected answer"),
        "null prompt": (ROWS["preference"] | {"prompt": None}, "no prompt"),
    },
    "alpaca": pair("instruction", "output"),
    "prompt-completion": pair("prompt", "completion"),
    "prompt-response": pair("prompt", "response"),
    "question-answer": pair("question", "answer"),
}
"""Rows of the same types as those of `ROWS`, so that a table can have both."""

LISTS: Mapping[str, tuple[Row, Bad]] = {
    "preference": (
        {"chosen": [USER, GPT], "rejected": [USER, OTHER]},
        {
            "wrong role": (
                {"chosen": [USER, NARRATOR], "rejected": [USER, OTHER]},
                "unknown role: turn 2",
            ),
            "missing answer": ({"chosen": [USER], "rejected": [USER, OTHER]}, "no answer"),
        },
    ),
    "alpaca": (
        ROWS["alpaca"] | {"history": [["Hello?", RTL]]},
        {"null turn": (ROWS["alpaca"] | {"history": [["Hello?", None]]}, "no answer")},
    ),
    **{
        name: (
            {asked: [USER], answered: [GPT]},
            {
                "wrong role": ({asked: [NARRATOR], answered: [GPT]}, "unknown role: turn 1"),
                "missing answer": ({asked: [USER], answered: []}, "no answer"),
                "null turn": ({asked: [USER], answered: [None]}, "wrong type: turn 2"),
            },
        )
        for name, asked, answered in (
            ("prompt-completion", "prompt", "completion"),
            ("prompt-response", "prompt", "response"),
            ("question-answer", "question", "answer"),
        )
    },
}
"""Rows with lists where those of `ROWS` have texts: a good one, and faults."""

MIXED: Mapping[str, Row] = {
    "messages": {"messages": [{"role": "user", "content": 7}]},
    "sharegpt": {"conversations": [{"from": "human", "value": 7}]},
    "preference": {"prompt": ASKED, "chosen": 7, "rejected": "No."},
    "alpaca": {"instruction": ASKED, "output": 7},
    "prompt-completion": {"prompt": 7, "completion": ANSWERED},
    "prompt-response": {"prompt": 7, "response": ANSWERED},
    "question-answer": {"question": ASKED, "answer": 7},
}
"""A number in the place of a text."""


SLOW = partial(pytest.param, marks=pytest.mark.slow)
PAIRS = [
    # What reads a saved data set takes what it has read as the reader of Parquet does.
    SLOW(name, container) if container == "saved" and name != "messages" else (name, container)
    for name, container in product(PLAIN, CONTAINERS)
]


def files_of(name: str, container: str) -> Iterator[tuple[Row, Bad]]:
    """What is written into one file: a good row, and bad ones of the same types."""
    yield ROWS[name], PLAIN[name]
    if name in LISTS and container != "csv":  # in which a list is a text
        yield LISTS[name]


def check(path: Path, expected: list[str | None]) -> None:
    """Hold every row of a file against its reason, None for a good one, and count them."""
    found = list(read_path(path))
    assert len(found) == len(expected)
    for record, reason in zip(found, expected, strict=True):
        if reason is None:
            assert isinstance(record, Record), record
        else:
            assert isinstance(record, BadRecord) and reason in record.reason, record
            assert record.reason.isprintable()
    corpus = ingested(found, source="s")
    assert corpus.n_read == len(expected)
    assert corpus.table.num_rows + corpus.n_duplicates == expected.count(None)
    assert (
        corpus.quarantine.num_rows == corpus.faults.n_rows == len(expected) - expected.count(None)
    )


@pytest.mark.parametrize(("name", "container"), PAIRS)
def test_each_bad_row_has_its_reason_and_the_good_ones_around_it_are_read(
    tmp_path, name, container
):
    for number, (good, faults) in enumerate(files_of(name, container)):
        rows, expected = [good], [None]
        for bad, reason in faults.values():
            rows += [bad, good]
            expected += [reason, None]
        check(write_rows(tmp_path, rows, container, name=f"f{number}"), expected)


@pytest.mark.parametrize("container", [one for one in CONTAINERS if one != "csv"])
@pytest.mark.parametrize("name", MIXED)
def test_a_number_in_the_place_of_a_text_is_a_wrong_type(tmp_path, name, container):
    rows, expected = [MIXED[name]], ["wrong type: "]
    if container not in TABLES:  # whose columns have one type
        rows, expected = [ROWS[name], *rows, ROWS[name]], [None, *expected, None]
    check(write_rows(tmp_path, rows, container), expected)


@pytest.mark.parametrize(
    ("name", "container"),
    [
        *(("messages", one) for one in ("jsonl", "parquet", "csv")),
        *(SLOW("messages", one) for one in CONTAINERS if one not in ("jsonl", "parquet", "csv")),
        *(SLOW(one, "jsonl") for one in ROWS if one != "messages"),
    ],
)
def test_a_turn_of_ten_megabytes_is_read_whole_in_every_format_and_container(
    tmp_path, name, container
):
    long = f"{RTL} \U0001f469\u200d\U0001f680 " + "ab " * (10 * 2**20 // 3)

    def lengthened(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lengthened(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [lengthened(inner) for inner in value]
        return long if value == ANSWERED else value

    path = write_rows(tmp_path, [lengthened(ROWS[name]), ROWS[name]], container)
    first, second = read_path(path)
    assert isinstance(first, Record) and isinstance(second, Record)
    assert (first.prompt, first.response) == (ASKED, long)
    assert (second.prompt, second.response) == (ASKED, ANSWERED)
