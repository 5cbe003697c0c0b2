"""How is a target parted that comes without a column for that?"""

import csv
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from selection.config.targets import FileTarget, SplitShares
from selection.corpus.docstrings import read_docstrings
from selection.corpus.near_texts import near_groups
from selection.corpus.records import Record
from selection.corpus.target import TooFewRows, is_parted, read_target
from selection.corpus.target_splits import LEAST, SPLITS, STEERING, deal

TEXTS = [record.text for record in read_docstrings("http", min_words=5, max_words=60)][:100]
SELECTING = {"train": 0.0, "dev": 1.0, "test": 0.0}


def written(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def target(path, **fields):
    return FileTarget.model_validate({"kind": "files", "path": path.name, **fields})


def counted(examples):
    return Counter(examples.rows["split"].to_pylist())


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_file_without_a_column_of_splits_is_parted_by_shares(tmp_path, ending):
    path = written(tmp_path / f"rows.{ending}", [{"text": text} for text in TEXTS])
    examples = read_target(target(path), path)
    found = counted(examples)
    assert found.total() == len(set(TEXTS))
    assert not examples.by_column and not examples.faults.n_rows
    # Groups of near-duplicates go together, so that a share may be off by one of them.
    assert abs(found["test"] - 0.2 * found.total()) <= 5
    assert abs(found["dev"] - 0.2 * found.total()) <= 5


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_columns_called_split_and_label_are_read_where_they_are_there(tmp_path, ending):
    splits = ["train", "dev", "test", "test"]
    rows = [
        {"text": text, "split": split, "label": str(number)}
        for number, (text, split) in enumerate(zip(TEXTS, splits, strict=False))
    ]
    path = written(tmp_path / f"rows.{ending}", rows)
    examples = read_target(target(path), path)
    assert examples.by_column and is_parted(target(path), path)
    assert counted(examples) == {"train": 1, "dev": 1, "test": 2}
    assert sorted(examples.rows["label"].to_pylist()) == ["0", "1", "2", "3"]
    unread = read_target(target(path, columns={"label": None, "split": None}), path)
    assert not unread.by_column and set(unread.rows["label"].to_pylist()) == {None}


def test_a_column_that_is_named_must_be_there(tmp_path):
    path = written(tmp_path / "rows.parquet", [{"text": text} for text in TEXTS])
    with pytest.raises(TooFewRows, match="column 'fold' is absent"):
        read_target(target(path, columns={"split": "fold"}), path)


def test_shares_are_refused_where_a_column_parts_the_rows(tmp_path):
    rows = [{"text": text, "split": "dev"} for text in TEXTS]
    path = written(tmp_path / "rows.jsonl", rows)
    with pytest.raises(ValueError, match=r"`target\.shares` parts nothing"):
        read_target(target(path, shares=SELECTING), path, trains=False)


def test_all_rows_of_a_target_may_steer_however_few(tmp_path):
    path = written(tmp_path / "rows.jsonl", [{"text": text} for text in TEXTS[:3]])
    examples = read_target(target(path, shares=SELECTING), path, trains=False)
    assert counted(examples) == {"dev": 3}
    with pytest.raises(TooFewRows, match="set `trains: false`, so that all rows may steer"):
        read_target(target(path), path)


def test_another_seed_parts_the_rows_otherwise_and_the_order_of_the_file_does_not_matter(tmp_path):
    path = written(tmp_path / "rows.jsonl", [{"text": text} for text in TEXTS])
    turned = written(tmp_path / "turned.jsonl", [{"text": text} for text in reversed(TEXTS)])
    first = read_target(target(path), path).rows
    assert first.equals(read_target(target(turned), turned).rows)
    assert not first.equals(read_target(target(path, split_seed=1), path).rows)


def test_numbers_of_rows_are_kept_without_a_column_too(tmp_path):
    path = written(tmp_path / "rows.jsonl", [{"text": text} for text in TEXTS])
    splits = {"train": 10, "dev": 20, "test": 30}
    assert counted(read_target(target(path, splits=splits), path)) == splits


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(TEXTS), min_size=4, max_size=20, unique=True),
    st.integers(0, 3),
    st.integers(0, 10),
)
def test_near_duplicates_stay_on_one_side(texts, copies, seed):
    rows = [*texts, *(f"{text} And {n} more." for n in range(copies) for text in texts)]
    records = {str(number): Record(text, "here") for number, text in enumerate(rows)}
    spec = FileTarget(kind="files", path="rows.jsonl", split_seed=seed)
    dealt = deal(records, spec, STEERING)
    side = {key: split for split in SPLITS for key in dealt[split]}
    assert side.keys() == records.keys()
    ids = sorted(records)
    groups = near_groups([records[key].text for key in ids]).tolist()
    sides = {(group, side[key]) for group, key in zip(groups, ids, strict=True)}
    assert len(sides) == len(set(groups))


@given(
    n_rows=st.integers(4, 300),
    parts=st.tuples(st.integers(0, 10), st.integers(1, 10), st.integers(0, 10)),
)
@settings(deadline=None, max_examples=40)
def test_shares_that_make_a_whole_leave_no_row_out(n_rows, parts):
    whole = sum(parts)
    shares = SplitShares(train=parts[0] / whole, dev=parts[1] / whole, test=parts[2] / whole)
    spec = FileTarget(kind="files", path="rows.jsonl", shares=shares)
    records = {str(i): Record(f"only {i} here {i} and {i}", "here") for i in range(n_rows)}
    dealt = deal(records, spec, LEAST)
    assert sum(map(len, dealt.values())) == n_rows
    for split in SPLITS:
        assert bool(dealt[split]) == bool(getattr(shares, split))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"splits": {"train": 1, "dev": 1, "test": 2}, "shares": {}}, "either `splits`"),
        ({"shares": {"train": 0.9, "dev": 0.2, "test": 0.2}}, "are more than 1"),
        ({"shares": {"dev": 0.0}}, "greater than 0"),
    ],
)
def test_shares_that_mean_nothing_are_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        FileTarget.model_validate({"kind": "files", "path": "rows.jsonl", **fields})
