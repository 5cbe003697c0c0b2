"""Data sets in the hub's layout, read offline from a local folder."""

import json
from pathlib import Path

import pytest

from selection.config.pool import ColumnNames
from selection.corpus.hub import read_hub
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
