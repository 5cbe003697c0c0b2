"""Rows that an earlier version has are found, whichever version and whenever it was seen."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.store.artifacts import Artifact, ArtifactStore
from selection_assets.shared.made_before import MOST_PARTS, RowsMade, not_made

BY = {"version": "one"}
rows = st.lists(st.integers(0, 40), unique=True, max_size=12)


def ids(row_id: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([row_id], pa.string())


def published(store: ArtifactStore, name: str, numbers: list[int], by: dict[str, str]) -> Artifact:
    """A version whose entry of row n is n."""
    rows_of = pa.table({"row_id": ids([f"{number:032x}" for number in numbers])})
    files = {
        "rows.parquet": rows_of,
        "by.json": by,
        "entries.npy": np.array(numbers, dtype=np.int64),
    }
    staged = store.stage(files)
    with store.publishing():
        folder = store.publish(staged, "toy/made", name)
    return Artifact("toy/made", name, staged.version, folder, name)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(rows, st.booleans(), st.booleans()), max_size=6), rows)
def test_exactly_the_rows_of_current_versions_by_the_same_maker_are_found(versions, asked):
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder))
        index, current, there = RowsMade(BY, "by.json"), [], set()
        for place, (numbers, same, replaced) in enumerate(versions):
            by = BY if same else {"version": "two"}
            version = published(store, str(place), numbers, by)
            index.made_before(ids([]), [*current, version])
            if not replaced:
                current.append(version)
                there |= set(numbers) if same else set()
        row_id = ids([f"{number:032x}" for number in asked])
        found = index.made_before(row_id, current)
        entries = np.full(len(asked), -1)
        for one in found:
            one.copy("entries.npy", into=entries)
        assert [asked[place] for place in not_made(len(asked), found)] == [
            number for number in asked if number not in there
        ]
        assert all(
            entry == (number if number in there else -1)
            for entry, number in zip(entries, asked, strict=True)
        )


def test_an_index_of_many_versions_finds_what_each_has(tmp_path):
    store, index = ArtifactStore(tmp_path), RowsMade(BY, "by.json")
    current = []
    for number in range(2 * MOST_PARTS + 5):
        current.append(published(store, str(number), [number, number + 1000], BY))
        row_id = ids([f"{number + 1000:032x}", f"{0:032x}", "f" * 32])
        found = index.made_before(row_id, current)
        assert list(not_made(3, found)) == [2]
