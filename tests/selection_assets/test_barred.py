"""What no arm may select, and which of several reasons is told of a row."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact, ArtifactStore
from resources.store.contents import Content
from selection.basics.tables import numbered
from selection_assets.shared.choosing.barred import find_barred
from selection_assets.shared.choosing.candidates import CandidatePool
from selection_assets.shared.held_out import LEAKS

ROWS = ["plain", "no vector", "faulty", "faulty, no vector", "leaks", "held out", "leaks, faulty"]
FAULTY = {"faulty": "too_long", "faulty, no vector": "answer_cut", "leaks, faulty": "too_long"}
LEAKING = ["leaks", "leaks, faulty"]


def published(folder: Path, name: str, files: dict[str, Content]) -> Artifact:
    store = ArtifactStore(folder)
    staged = store.stage(files)
    with store.publishing():
        place = store.publish(staged, f"toy/{name}", "all")
    return Artifact(f"toy/{name}", "all", staged.version, place, name)


def pool_of(sources: dict[str, dict[str, str]]) -> CandidatePool:
    """A pool of rows, by source, each with the fault that it has."""
    ids = pa.array([row for rows in sources.values() for row in rows], pa.large_string())
    fault = [fault for rows in sources.values() for fault in rows.values()]
    return CandidatePool(
        sources=list(sources),
        starts=np.cumsum([0, *map(len, sources.values())]),
        files=[],
        row_id=ids,
        order=numbered(ids),
        n_tokens=np.ones(len(ids), dtype=np.int64),
        fault=np.array(fault, dtype=object),
    )


def barred(folder: Path, pool: CandidatePool):
    with_vector = [row for row in ROWS if "no vector" not in row]
    vectors: dict[str, Content] = {
        "rows.parquet": pa.table({"row_id": with_vector}),
        "vectors.npy": np.eye(len(with_vector), dtype=np.float16),
    }
    leaks = [{"row_id": row, "leak": "equal", "leak_of": "held out"} for row in LEAKING]
    examples = pa.table(
        {
            "row_id": ["held out", "trained on"],
            "split": ["test", "train"],
            "text": ["one", "two"],
            "prompt": pa.array([None, None], pa.string()),
        }
    )
    read = {
        "corpus_embeddings": {"s": published(folder, "vectors", vectors)},
        "target_leaks": {
            "s": published(
                folder, "leaks", {"leaks.parquet": pa.Table.from_pylist(leaks, schema=LEAKS)}
            )
        },
        "target_examples": {"all": published(folder, "examples", {"rows.parquet": examples})},
    }
    step = SimpleNamespace(inputs=read, one=lambda name: next(iter(read[name].values())))
    return find_barred(step, pool)  # pyright: ignore[reportArgumentType]


def test_a_leak_goes_before_a_fault_and_a_fault_before_a_missing_vector(tmp_path):
    found = barred(tmp_path, pool_of({"s": {row: FAULTY.get(row, "") for row in ROWS}}))
    assert dict(zip(ROWS, found.reason.tolist(), strict=True)) == {
        "plain": "",
        "no vector": "no_vector",
        "faulty": "too_long",
        "faulty, no vector": "answer_cut",
        "leaks": "target_leak",
        "held out": "target_leak",
        "leaks, faulty": "target_leak",
    }
    assert found.leaking == {"held out", *LEAKING}
    places = found.leak_at.tolist()
    assert [found.leaks["row_id"][at].as_py() for at in places if at >= 0] == LEAKING


def test_what_is_said_of_a_row_is_said_of_its_copies(tmp_path):
    """Two rows of one id may differ in their spaces, and so in their tokens."""
    pool = pool_of({"one": {"faulty": "too_long", "plain": ""}, "two": {"faulty": "", "plain": ""}})
    assert barred(tmp_path, pool).reason.tolist() == ["too_long", "", "too_long", ""]
