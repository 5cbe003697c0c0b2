"""Texts come back to the rows that were chosen without them, whatever their order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.tables import numbered
from selection_assets.shared.candidates import CandidatePool


def pool_of(sizes: list[int], folder: Path) -> CandidatePool:
    """Sources with rows whose id, text and turns tell which row they are."""
    files, ids = [], []
    for source, size in enumerate(sizes):
        of_source = [f"{source}-{n}" for n in range(size)]
        turns = [None if n % 2 else f"turns of {row}" for n, row in enumerate(of_source)]
        said = pa.array([f"text {row}" for row in of_source])
        table = pa.table({"text": said, "turns": pa.array(turns, pa.string())})
        files.append(folder / f"s{source}")
        pq.write_table(table, files[-1], row_group_size=2)
        ids += of_source
    row_id, n = pa.array(ids, pa.string()), len(ids)
    return CandidatePool(
        sources=[f"s{source}" for source in range(len(sizes))],
        starts=np.cumsum([0, *sizes]),
        files=files,
        row_id=row_id,
        order=numbered(row_id),
        n_tokens=np.ones(n, dtype=np.int64),
        fault=np.full(n, "", dtype=object),
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_each_chosen_row_gets_its_own_text(sizes, chance):
    with TemporaryDirectory() as folder:
        _check(pool_of(sizes, Path(folder)), chance)


def _check(pool, chance):
    at = np.array(chance.sample(range(len(pool.row_id)), chance.randint(0, len(pool.row_id))))
    told = pool.with_texts(at.astype(np.int64))
    assert told.column_names == ["row_id", "source", "text", "turns"]
    assert told["row_id"].to_pylist() == [pool.row_id[int(row)].as_py() for row in at]
    for row in told.to_pylist():
        assert row["source"] == f"s{row['row_id'].partition('-')[0]}"
        assert row["text"] == f"text {row['row_id']}"
        is_odd = int(row["row_id"].partition("-")[2]) % 2
        assert row["turns"] == (None if is_odd else f"turns of {row['row_id']}")
