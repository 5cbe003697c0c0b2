"""A target's rows that cannot be meant as they are written are named, never dropped or merged."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selection.config.targets import FileTarget
from selection.corpus.target import TargetExamples, TooFewRows, read_target

SIZES = {"train": 2, "dev": 1, "test": 2}


def rows_of(count: int = 12) -> list[dict[str, object]]:
    """Good rows of every split, with labels of two kinds."""
    splits = ("train", "dev", "test")
    return [
        {"text": f"example {i}", "label": "spam" if i % 2 else "ham", "split": splits[i % 3]}
        for i in range(count)
    ]


def read(path: Path, rows: list[dict[str, object]]) -> TargetExamples:
    """Write the rows as the path says, and read them as a target."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label", "split"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_target(FileTarget(kind="files", path=path.name, splits=SIZES), path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"split": "validation"}, "unknown split", "'validation'; write 'dev'"),
        ({"split": " Train"}, "unknown split", "' Train'; write 'train'"),
        ({"split": "fold 3"}, "unknown split", "'fold 3'; known are train, dev, test"),
        ({"split": None}, "no split", "column 'split' is null"),
        ({"label": None}, "no label", "column 'label' is null"),
    ],
)
def test_a_row_without_a_split_or_label_of_ours_is_named(tmp_path, suffix, changed, kind, said):
    rows = [*rows_of(), {"text": "one more", "label": "ham", "split": "train"} | changed]
    found = read(tmp_path / f"t{suffix}", rows)
    [reason] = found.faults.reasons
    assert (reason.kind, reason.count) == (kind, 1)
    assert said in reason.first[0].reason
    origin = {".jsonl": "t.jsonl:13", ".csv": "t.csv:14", ".parquet": "t.parquet#12"}[suffix]
    assert reason.first[0].origin == origin
    assert found.n_good == 12
    assert found.faults.share(found.n_good) == pytest.approx(1 / 13)


def test_a_target_whose_dev_split_is_called_validation_is_told_so_and_not_to_ask_for_less(tmp_path):
    rows = [row | {"split": str(row["split"]).replace("dev", "validation")} for row in rows_of()]
    with pytest.raises(TooFewRows) as refused:
        read(tmp_path / "t.jsonl", rows)
    assert (refused.value.split, refused.value.found, refused.value.wanted) == ("dev", 0, 1)
    said = "unknown split: column 'split' is 'validation'; write 'dev', first at t.jsonl:2"
    assert said in str(refused.value)
    assert "lower" not in str(refused.value)


def test_a_target_that_is_merely_small_is_told_to_ask_for_less(tmp_path):
    with pytest.raises(TooFewRows, match=r"lower `target.splits.test`"):
        read(tmp_path / "t.jsonl", rows_of(5))


@pytest.mark.parametrize(("suffix", "seen"), [(".jsonl", "the float 1.0"), (".parquet", "double")])
def test_float_labels_are_named_row_by_row(tmp_path, suffix, seen):
    rows = [row | {"label": 1.0} for row in rows_of()]
    with pytest.raises(TooFewRows) as refused:
        read(tmp_path / f"t{suffix}", rows)
    [reason] = refused.value.faults.reasons
    assert (reason.kind, reason.count) == ("wrong type", 12)
    assert seen in reason.first[0].reason


@pytest.mark.parametrize(
    ("one", "other"), [("spam", "Spam"), ("spam", "spam "), ("1", "1.0"), ("2.50", "2.5")]
)
def test_labels_that_are_written_in_two_ways_are_named_with_rows_and_counts(tmp_path, one, other):
    rows = [row | {"label": one} for row in rows_of()] + [
        {"text": f"other {i}", "label": other, "split": "train"} for i in range(2)
    ]
    [clash] = read(tmp_path / "t.jsonl", rows).label_clashes
    assert clash.labels == ((one, 12), (other, 2))
    assert clash.first[1] == ("t.jsonl:13", "t.jsonl:14")
    assert f"{other!r} (2 rows: t.jsonl:13, t.jsonl:14)" in str(clash)


def test_labels_of_any_length_and_number_of_spellings_are_cut_short_and_counted(tmp_path):
    spellings = ["spam" + " " * i for i in range(100)] + ["x" * 10**5, "x" * 10**5 + " "]
    rows = rows_of() + [
        {"text": f"other {i}", "label": label, "split": "train"}
        for i, label in enumerate(spellings)
    ]
    many, long = read(tmp_path / "t.jsonl", rows).label_clashes
    assert str(many).count(" rows: ") == 10
    assert str(many).endswith(" and 90 more")
    assert len(str(many)) < 2_000 and len(str(long)) < 500


def test_labels_that_differ_in_more_are_left_alone(tmp_path):
    rows = [row | {"label": ["1", "10", "100", "0.1"][i % 4]} for i, row in enumerate(rows_of())]
    found = read(tmp_path / "t.jsonl", rows)
    assert (found.label_clashes, found.faults.reasons) == ((), ())


def test_a_target_without_labels_has_none_missing(tmp_path):
    found = read(tmp_path / "t.jsonl", [row | {"label": None} for row in rows_of()])
    assert found.faults.reasons == ()
