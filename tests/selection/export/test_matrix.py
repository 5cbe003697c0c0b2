"""Every format in every container goes in and comes out again, all its columns with it."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exporting import rows_of

from selection.export.files import write_files
from selection.export.formats import CONTAINERS, FORMATS
from selection.export.rows import CannotExport, shuffled, usual_format
from selection.export.written import WRITERS

ASKED, ANSWERED = (
    "Why is the sky blue? \U0001f308",
    "Rayleigh: \u0627\u0644\u0633\u0645\u0627\u0621",
)


def chat(number: int) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": f"{ASKED} {number}"},
        {"role": "assistant", "content": ANSWERED},
    ]


def shared(number: int) -> list[dict[str, Any]]:
    return [
        {"from": "human", "value": f"{ASKED} {number}"},
        {"from": "gpt", "value": ANSWERED},
    ]


def formats(number: int) -> dict[str, dict[str, Any]]:
    asked = f"{ASKED} {number}"
    return {
        "messages": {"messages": chat(number)},
        "sharegpt": {"conversations": shared(number), "system": "Be short."},
        "preference": {"prompt": asked, "chosen": ANSWERED, "rejected": "No idea."},
        "alpaca": {"instruction": asked, "input": "Of Earth", "output": ANSWERED},
        "prompt-completion": {"prompt": asked, "completion": ANSWERED},
        "prompt-response": {"prompt": asked, "response": ANSWERED},
        "question-answer": {"question": asked, "answer": ANSWERED},
        "text": {"text": f"{asked} {ANSWERED}"},
    }


def with_extras(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {"id": f"t-{number}", **row, "priority": number, "meta": {"tags": ["a", "b"], "v": 1.5}}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    match path.suffix:
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".json":
            path.write_text(json.dumps(rows, indent=2, ensure_ascii=False))
        case ".csv":
            cells = [
                {k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()}
                for row in rows
            ]
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(cells)
        case _:
            # Spaces and escapes of their own, which no writer of JSON would give back.
            lines = [json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(rows)]
            path.write_text("".join(f"{line} \n" for line in lines))
    return path


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet"])
@pytest.mark.parametrize("name", formats(0))
def test_rows_come_out_as_they_went_in(name, ending, container, tmp_path):
    given = [with_extras(formats(i)[name], i) for i in range(3)]
    path = write(tmp_path / f"rows{ending}", given)
    rows = rows_of(path, tmp_path)
    assert {row.format for row in rows} == {name}
    assert usual_format(rows)[0] == "original"
    [file] = write_files(rows, "original", container)
    out = tmp_path / file.name
    out.write_bytes(file.content)
    match ending, container:
        case ".jsonl", "jsonl":
            assert out.read_bytes() == path.read_bytes()
        case ".parquet", "parquet":
            assert pq.read_table(out).equals(pq.read_table(path))
        case ".csv", _:
            with path.open(newline="") as cells:
                assert values(out) == list(csv.DictReader(cells))
        case _:
            assert values(out) == given
    assert [row.row_id for row in rows_of(out, tmp_path)] == [row.row_id for row in rows]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("wanted", [*WRITERS])
@pytest.mark.parametrize("name", [name for name in formats(0) if name != "text"])
def test_rows_written_in_another_format_are_the_same_rows(name, wanted, container, tmp_path):
    given = [with_extras(formats(i)[name], i) for i in range(3)]
    rows = rows_of(write(tmp_path / "rows.jsonl", given), tmp_path)
    [file] = write_files(rows, wanted, container, name="out")
    (tmp_path / file.name).write_bytes(file.content)
    again = rows_of(tmp_path / file.name, tmp_path)
    assert [row.row_id for row in again] == [row.row_id for row in rows]
    assert {row.format for row in again} == {wanted}


def test_a_pool_that_mixes_formats_goes_out_as_messages_and_with_texts_as_texts(tmp_path):
    several = list(formats(1).values())
    rows = rows_of(write(tmp_path / "rows.jsonl", [*several[:3], formats(2)["alpaca"]]), tmp_path)
    assert usual_format(rows) == (
        "messages",
        "as messages, because the rows came as alpaca, messages, sharegpt",
    )
    rows = rows_of(write(tmp_path / "rows.jsonl", [formats(3)["alpaca"], several[-1]]), tmp_path)
    wanted, said = usual_format(rows)
    assert wanted == "text" and "alpaca, text" in said
    files = write_files(rows, "original", "jsonl")
    assert [file.name for file in files] == ["train-alpaca.jsonl", "train-text.jsonl"]


def test_what_a_format_cannot_say_is_refused_with_the_rows_and_what_can(tmp_path):
    call = {"type": "function", "function": {"name": "look", "arguments": {"at": "sky"}}}
    turns = [
        *chat(0)[:1],
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "content": "It is blue."},
        *chat(0)[1:],
    ]
    rows = rows_of(write(tmp_path / "rows.jsonl", [{"messages": turns}]), tmp_path)
    for wanted, why in (("alpaca", "a tool"), ("sharegpt", "speaks and calls")):
        with pytest.raises(CannotExport) as refused:
            write_files(rows, wanted, "jsonl")
        assert rows[0].row_id in str(refused.value) and why in str(refused.value)
        assert str(refused.value).endswith("original, messages, prompt-completion, text")


def test_columns_of_more_than_one_type_are_no_table_and_lines_all_the_same(tmp_path):
    given = [formats(0)["text"] | {"id": 1}, formats(1)["text"] | {"id": "one"}]
    rows = rows_of(write(tmp_path / "rows.jsonl", given), tmp_path)
    with pytest.raises(CannotExport, match="--container jsonl"):
        write_files(rows, "original", "parquet")
    assert write_files(rows, "original", "jsonl")[0].rows == 2


def test_a_shuffled_order_follows_from_the_seed_and_the_rows_alone(tmp_path):
    rows = rows_of(write(tmp_path / "rows.jsonl", [formats(i)["text"] for i in range(9)]), tmp_path)
    order = [row.rank for row in shuffled(rows, 7)]
    assert order != sorted(order) and sorted(order) == list(range(9))
    assert [row.rank for row in shuffled(rows[::-1], 7)] == order
    assert [row.rank for row in shuffled(rows, 8)] != order


def test_every_format_that_can_be_asked_for_is_written(tmp_path):
    rows = rows_of(write(tmp_path / "rows.jsonl", [formats(0)["messages"]]), tmp_path)
    for wanted in FORMATS:
        [file] = write_files(rows, wanted, "jsonl")
        assert file.rows == 1 and json.loads(file.content)


def values(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]
