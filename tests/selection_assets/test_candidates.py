"""Texts come back to the rows that were chosen without them, whatever their order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from selection_assets.shared.candidates import CandidatePool

COLUMNS = ["row_id", "source", "text", "turns"]


def pool_of(sizes: list[int], folder: Path) -> CandidatePool:
    """Sources with rows whose id, text and turns tell which row they are."""
    rows = {
        f"s{source}": [(f"{source}-{n}", f"s{source}", f"text {source}-{n}") for n in range(size)]
        for source, size in enumerate(sizes)
    }
    of_source, files = {}, {}
    for source, found in rows.items():
        ids, names, said = (list(column) for column in zip(*found, strict=True))
        of_source[source] = pa.table({"row_id": ids, "source": names, "n_tokens": [1] * len(ids)})
        turns = pa.array([None if n % 2 else f"turns of {ids[n]}" for n in range(len(ids))])
        files[source] = folder / source
        table = pa.table({"text": said, "turns": turns.cast(pa.string())})
        pq.write_table(table, files[source], row_group_size=2)
    return CandidatePool(of_source, files)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_each_chosen_row_gets_its_own_text(sizes, chance):
    with TemporaryDirectory() as folder:
        _check(pool_of(sizes, Path(folder)), chance)


def _check(pool, chance):
    rows = pa.concat_tables(pool.of_source.values())
    places = chance.sample(range(rows.num_rows), chance.randint(0, rows.num_rows))
    chosen = rows.take(pa.array(places, pa.int64()))
    told = pool.with_texts(chosen)
    assert told.column_names == [*COLUMNS, "n_tokens"]
    assert told.select(chosen.column_names) == chosen
    for row in told.to_pylist():
        assert row["text"] == f"text {row['row_id']}"
        is_odd = int(row["row_id"].partition("-")[2]) % 2
        assert row["turns"] == (None if is_odd else f"turns of {row['row_id']}")
