"""Data sets in the hub's layout, read offline from a local folder."""

import json
from datetime import date
from pathlib import Path

import pytest
from datasets import Dataset, Features, Image, Value

from selection.config.pool import ColumnNames
from selection.corpus.hub import read_hub
from selection.corpus.kept_columns import not_kept, read_schema, typed_table
from selection.corpus.records import BadRecord, Record

CARD = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': world
          '1': sports
---
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out a small data set with two splits, a card and a class label."""
    root = tmp_path / "news"
    root.mkdir()
    rows = {
        "train": [("A match was won", 1), ("  ", 0), ("A treaty", 0), ("Unlabelled", -1)],
        "test": [("Held out", 1)],
    }
    for split, pairs in rows.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in pairs]
        (root / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (root / "README.md").write_text(CARD)
    return root


def test_a_local_folder_in_the_hubs_layout_is_read_by_split(folder: Path) -> None:
    records = list(read_hub(folder, revision="local", columns=ColumnNames(label="label")))
    good = [(r.text, r.label, r.origin) for r in records if isinstance(r, Record)]
    assert good == [
        ("A match was won", "sports", "news/train#0"),
        ("A treaty", "world", "news/train#2"),
        ("Unlabelled", None, "news/train#3"),
    ]
    bad = [(r.kind, r.origin) for r in records if isinstance(r, BadRecord)]
    assert bad == [("empty text", "news/train#1")]
    held_out = list(read_hub(folder, revision="local", split="test"))
    assert [r.text for r in held_out if isinstance(r, Record)] == ["Held out"]


@pytest.mark.parametrize("revision", ["main", "v1.0", "", "abc123", "F" * 40])
def test_a_hub_id_needs_a_full_commit(revision: str) -> None:
    with pytest.raises(ValueError, match="not a commit"):
        read_hub("owner/name", revision=revision)


def test_a_folder_of_that_name_is_never_read_in_place_of_the_hubs_data_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "owner").mkdir()
    folder.rename(folder.parent / "owner" / "news")
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ValueError, match="would be read in its place"):
        read_hub("owner/news", revision="0" * 40)


def test_a_wrong_split_or_column_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="'dev'"):
        read_hub(folder, revision="local", split="dev")
    with pytest.raises(ValueError, match=r"'body'.*it has 'text', 'label'"):
        read_hub(folder, revision="local", columns=ColumnNames(text="body"))


def test_rows_as_they_came_have_all_columns_but_those_that_would_be_decoded(tmp_path: Path) -> None:
    root = tmp_path / "seen"
    root.mkdir()
    features = Features(
        {"text": Value("string"), "n": Value("int16"), "at": Value("date32"), "picture": Image()}
    )
    given = {"text": ["One."], "n": [3], "at": [date(2026, 1, 2)], "picture": [None]}
    Dataset.from_dict(given, features=features).to_parquet(root / "train.parquet")
    [record] = read_hub(root, revision="local", originals=True)
    assert isinstance(record, Record) and record.original is not None
    assert json.loads(record.original.line) == {"text": "One.", "n": 3, "at": "2026-01-02"}
    schema = read_schema(record.original.table)
    assert not_kept(schema) == ["picture (binary)"]
    table = typed_table([json.loads(record.original.line)], schema)
    assert table.schema.field("n").type == "int16" and table["at"].to_pylist() == given["at"]
