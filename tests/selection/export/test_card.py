"""The page of an export: its front matter is the hub's, its tables are right, texts stay texts."""

import dataclasses
from pathlib import Path

import datasets
import pytest
import yaml
from exporting import ORIGINS, rows_of, write_export

from selection.config.pool import ColumnNames
from selection.export.bundle import make_bundle
from selection.export.card import licence_field

LINES = [
    '{"text": "One row here.", "by": "MIT"}',
    '{"text": "Another row of it.", "by": "MIT"}',
    '{"text": "A third.", "by": "<b>|[x](http://y)"}',
    '{"text": "A fourth."}',
]


def page(tmp_path: Path) -> tuple[dict, str]:
    (tmp_path / "rows.jsonl").write_text("\n".join(LINES))
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path, ColumnNames(text="text", licence="by"))
    card = make_bundle(rows, ORIGINS).files["README.md"]
    assert isinstance(card, str)
    _, matter, text = card.split("---\n", 2)
    return yaml.safe_load(matter), text


def test_licences_are_counted_by_rows_and_tokens(tmp_path):
    matter, text = page(tmp_path)
    assert matter["license"] == "other" and matter["license_name"] == "as-listed"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["MIT", "2", "7"] in cells and ["not known", "1", "2"] in cells
    assert "<b>" not in text and "](http" not in text
    assert ["below_cutoff", "4"] in cells and not any("selected" in cell[:1] for cell in cells)


@pytest.mark.parametrize(
    ("licences", "said"),
    [
        ([None, None], "unknown"),
        (["MIT", "mit"], "mit"),
        (["Apache-2.0", "MIT"], ["apache-2.0", "mit"]),
        (["MIT", None], "other"),
        (["My own"], "other"),
    ],
)
def test_licences_are_called_as_the_hub_calls_them(licences, said):
    assert licence_field(licences)["license"] == said


def test_each_format_of_a_mixed_export_is_a_configuration_that_the_hubs_library_reads(tmp_path):
    lines = ['{"text": "One."}', '{"instruction": "Ask.", "output": "Tell.", "id": 3}']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path)
    bundle = make_bundle(rows, ORIGINS, wanted="original")
    out = write_export(tmp_path / "out", bundle.files)
    assert {"train_trl-alpaca.py", "axolotl-text.yaml"} <= set(bundle.files)
    for name, row in (("text", {"text": "One."}), ("alpaca", {"id": 3})):
        read = datasets.load_dataset(str(out), name, cache_dir=str(tmp_path / "cache"))
        assert read["train"][0].items() >= row.items()
    first = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert first["train"].column_names == ["text"]


def test_what_is_not_in_the_file_is_said(tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        '{"instruction": "Ask.", "output": "Tell.", "history": [["a", "b"]]}'
    )
    rows = rows_of(tmp_path / "rows.jsonl", tmp_path)
    bundle = make_bundle(rows, ORIGINS)
    assert "axolotl.yaml" not in bundle.files
    assert "axolotl does not read all of train.jsonl" in str(bundle.files["README.md"])
    assert "who says what is lost" in make_bundle(rows, ORIGINS, wanted="text").notes[0]
    many = dataclasses.replace(ORIGINS, draw=1, draws=2)
    assert "draw 1 of 2" in str(make_bundle(rows, many).files["README.md"])
