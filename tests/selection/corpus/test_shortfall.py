"""A target with too few rows says why: each cause has its own advice, which then helps."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from selection.config.targets import DocstringTarget, FileTarget, SplitSizes
from selection.corpus.target import read_target

SPLITS = SplitSizes(train=2, dev=2, test=2)
ROWS = [
    {"text": f"Row {number} of the split {split}.", "split": split}
    for split in ("train", "dev", "test")
    for number in range(3)
]
Change = Callable[[list[dict]], list[dict]]


def renamed(field: str, to: str) -> Change:
    return lambda rows: [{to if name == field else name: row[name] for name in row} for row in rows]


def with_split(split: str | None) -> Change:
    return lambda rows: [r | {"split": split} if r["split"] == "test" else r for r in rows]


def of_one_text(rows: list[dict]) -> list[dict]:
    return [r | {"text": "The same."} if r["split"] == "test" else r for r in rows]


CAUSES: dict[str, tuple[Change, list[str]]] = {
    "another column has the text": (
        renamed("text", "body"),
        [
            "9 x no known format: name its columns, such as `columns: {text: body}`; the row has"
            " 'body', 'split', and known are messages; ",
            "first at rows.jsonl:1",
            "`target.columns`",
        ],
    ),
    "a split of another name": (
        with_split("validation"),
        ["3 x unknown split: column 'split' is 'validation'; write 'dev', first at rows.jsonl:7"],
    ),
    "no split": (
        with_split(None),
        ["3 x no split: column 'split' is null", "at rows.jsonl:7", "`target.columns.split`"],
    ),
    "texts that repeat": (
        of_one_text,
        ["2 rows, first rows.jsonl:8", "repeat the text of another row", "distinct ones"],
    ),
    "blank texts": (
        lambda rows: [r | {"text": " "} if r["split"] == "test" else r for r in rows],
        ["3 x empty text, first at rows.jsonl:7", "correct or remove"],
    ),
    "fewer rows than asked for": (
        lambda rows: rows[:-2],
        ["has 1 distinct usable rows for split 'test'", "lower `target.splits.test`"],
    ),
    "no rows of a split": (lambda rows: rows[:6], ["no row of rows.jsonl is of that split"]),
}


def message_of(folder: Path, rows: list[dict]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = FileTarget(kind="files", path="rows.jsonl", splits=SPLITS)
    with pytest.raises(ValueError) as caught:
        read_target(spec, path)
    return str(caught.value)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_too_few_rows_has_its_own_advice(cause, tmp_path, figures):
    change, said = CAUSES[cause]
    message = message_of(tmp_path, change(ROWS))
    for part in said:
        assert part in message
    assert ("lower `target.splits" in message) == (cause == "fewer rows than asked for")
    figures.record("P14", shortfalls_explained=1)


@pytest.mark.parametrize("kind", ["pipe", "empty", "link"])
def test_a_target_that_is_no_file_of_rows_is_not_told_to_mend_or_bring_rows(kind, tmp_path):
    path = tmp_path / "rows.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/null")
    else:
        path.touch()
    spec = FileTarget(kind="files", path="rows.jsonl", splits=SPLITS)
    with pytest.raises(ValueError) as caught:
        read_target(spec, path)
    said = {"pipe": "not a regular file", "empty": "empty file", "link": "symlink leaves"}
    assert f"1 x {said[kind]}" in str(caught.value)
    assert str(caught.value).endswith("first at rows.jsonl:0; bring the file whole and readable")
    for wrong in ("no row of", "correct or remove", "lower", "allow_unread"):
        assert wrong not in str(caught.value)


def test_a_contrast_is_called_by_its_own_name(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:-2]))
    spec = FileTarget(kind="files", path="rows.jsonl", splits=SPLITS)
    with pytest.raises(ValueError, match=r"the contrast has 1 .* lower `contrast\.splits\.test`"):
        read_target(spec, path, name="contrast")


def test_a_package_with_too_few_passages_is_told_of_its_words():
    many = SplitSizes(train=2, dev=2, test=100_000)
    spec = DocstringTarget(kind="docstrings", package="json", splits=many)
    with pytest.raises(ValueError, match=r"'json' has no more passages of 8 to 120 words: lower"):
        read_target(spec, None)
