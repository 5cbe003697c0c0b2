"""Texts come back to the rows that were chosen without them, whatever their order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.store.artifacts import Artifact, ArtifactStore
from selection.basics.tables import numbered
from selection_assets.shared.choosing.candidates import CandidatePool

SCORES = pa.schema([("row_id", pa.string()), ("draw", pa.int16()), ("score", pa.float64())])


def pool_of(sizes: list[int], folder: Path) -> CandidatePool:
    """Sources with rows whose id, text and turns tell which row they are."""
    files, ids = [], []
    for source, size in enumerate(sizes):
        of_source = [f"{source}-{n}" for n in range(size)]
        turns = [None if n % 2 else f"turns of {row}" for n, row in enumerate(of_source)]
        said = pa.array([f"text {row}" for row in of_source], pa.string())
        table = pa.table({"text": said, "turns": pa.array(turns, pa.string())})
        files.append(folder / f"s{source}")
        pq.write_table(table, files[-1], row_group_size=2)
        ids += of_source
    row_id, n = pa.array(ids, pa.large_string()), len(ids)
    return CandidatePool(
        sources=[f"s{source}" for source in range(len(sizes))],
        starts=np.cumsum([0, *sizes]),
        files=files,
        row_id=row_id,
        order=numbered(row_id),
        n_tokens=np.ones(n, dtype=np.int64),
        fault=np.full(n, "", dtype=object),
    )


def scores_of(folder: Path, source: int, rows: list[dict]) -> Artifact:
    table = pa.Table.from_pylist(rows, schema=SCORES)
    store = ArtifactStore(folder)
    staged = store.stage({"scores.parquet": table})
    with store.publishing():
        place = store.publish(staged, "toy/scores", f"s{source}")
    return Artifact("toy/scores", f"s{source}", staged.version, place, "m")


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_each_row_gets_its_own_score_in_each_draw_whatever_is_scored_in_what_order(
    sizes, draws, chance
):
    with TemporaryDirectory() as folder:
        pool = pool_of(sizes, Path(folder))
        scores, given = {}, {}
        for source, size in enumerate(sizes):
            known = [f"{source}-{n}" for n in range(size) if chance.random() < 0.7]
            # One that is no longer in the pool, and any order.
            rows = [*known, f"{source}-gone"]
            chance.shuffle(rows)
            told = [
                {"row_id": row, "draw": draw, "score": chance.random()}
                for draw in range(draws)
                for row in rows
            ]
            given |= {(one["row_id"], one["draw"]): one["score"] for one in told}
            scores[f"s{source}"] = scores_of(Path(folder), source, told)
        found = {
            (pool.row_id[int(at)].as_py(), one.draw): score
            for one in pool.scored(scores)
            for at, score in zip(one.at, one.score.tolist(), strict=True)
        }
    assert found == {key: score for key, score in given.items() if not key[0].endswith("gone")}


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
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
