"""Texts come back to the rows that were chosen without them, whatever their order."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from selection_assets.shared.candidates import CandidatePool

COLUMNS = ["row_id", "source", "text", "turns"]


def pool_of(sizes: list[int]) -> CandidatePool:
    """Sources with rows whose id, text and turns tell which row they are."""
    rows = {
        f"s{source}": [(f"{source}-{n}", f"s{source}", f"text {source}-{n}") for n in range(size)]
        for source, size in enumerate(sizes)
    }
    of_source, texts = {}, {}
    for source, found in rows.items():
        ids, names, said = (list(column) for column in zip(*found, strict=True))
        of_source[source] = pa.table({"row_id": ids, "source": names, "n_tokens": [1] * len(ids)})
        turns = pa.array([None if n % 2 else f"turns of {ids[n]}" for n in range(len(ids))])
        texts[source] = pa.table({"text": said, "turns": turns.cast(pa.string())})
    return CandidatePool(of_source, texts)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_each_chosen_row_gets_its_own_text(sizes, chance):
    pool = pool_of(sizes)
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
