"""Texts on disk are the list that they stand for, and each row group is read once in a pass."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection_assets.shared import stored_texts
from selection_assets.shared.stored_texts import RowGroups, StoredTexts, rows_at

ROWS = [f"text {number}" for number in range(40)]


def write(folder: str | Path, groups: int = 7) -> Path:
    """Write the rows with so many in each row group."""
    table = pa.table({"text": pa.array(ROWS, pa.large_string()), "number": range(len(ROWS))})
    file = Path(folder, "rows.parquet")
    pq.write_table(table, file, row_group_size=groups)
    return file


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 50),
    st.one_of(st.none(), st.lists(st.integers(0, len(ROWS) - 1), max_size=30)),
    st.slices(len(ROWS)),
)
def test_texts_are_the_list_that_they_stand_for(groups, places, some):
    flat = ROWS if places is None else [ROWS[place] for place in places]
    with TemporaryDirectory() as folder:
        file = write(folder, groups)
        at = None if places is None else np.array(places, dtype=np.int64)
        texts = StoredTexts(RowGroups(file, ["text"]), at)
        assert list(texts) == flat
        assert len(texts) == len(flat)
        assert list(texts[some]) == flat[some]
        assert list(texts[some][::-1]) == flat[some][::-1]
        assert [texts[place] for place in range(len(flat))] == flat
        with pytest.raises(IndexError):
            texts[len(flat)]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 50), st.lists(st.integers(0, len(ROWS) - 1), max_size=30))
def test_rows_are_given_in_the_order_in_which_they_are_asked_for(groups, places):
    with TemporaryDirectory() as folder:
        table = rows_at(write(folder, groups), ["number", "text"], np.array(places, dtype=np.int64))
    assert table.column_names == ["number", "text"]
    assert table["number"].to_pylist() == places
    assert table["text"].to_pylist() == [ROWS[place] for place in places]


def test_a_pass_reads_each_row_group_once_and_what_is_made_of_it_is_given(tmp_path):
    made = []

    def make(table: pa.Table) -> list[str]:
        made.append(table.num_rows)
        return [text.upper() for text in table["text"].to_pylist()]

    texts = StoredTexts(RowGroups(write(tmp_path), ["text", "number"], make))
    assert [text for start in range(0, 40, 4) for text in texts[start : start + 4]] == [
        text.upper() for text in ROWS
    ]
    assert made == [7, 7, 7, 7, 7, 5]


def test_few_groups_are_held(tmp_path):
    groups = RowGroups(write(tmp_path, 1), ["text"])
    assert list(StoredTexts(groups)) == ROWS
    assert len(groups._held) == stored_texts.HELD_GROUPS
