"""Which rows of a pool may no arm select?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from selection.basics.tables import places_of
from selection.basics.vectors import StackedVectors
from selection.leaks.kinds import TARGET_LEAK
from selection_assets.shared.choosing.candidates import CandidatePool
from selection_assets.shared.held_out import held_out_rows, leaking_rows
from selection_assets.shared.pool_rows import pool_vectors
from selection_assets.stage.step import Step

NO_VECTOR = "no_vector"
"""Fate of rows that no method may select, as is `TARGET_LEAK`."""


@dataclass(frozen=True)
class Barred:
    """What no arm may select, whatever it scores.

    Attributes
    ----------
    reason : object of shape (n,), of each row of the pool; "" of those that may be selected.
    leaks : `LEAKS` of the pool.
    leak_at : int64 of shape (n,), where in them each row is; -1 where it is not.
    leaking : ids of all held-out rows and of those that leak one.
    vectors : of the rows that have one.
    vector_at : int64 of shape (n,), where in them each row is; -1 where it is not.
    """

    reason: np.ndarray
    leaks: pa.Table
    leak_at: np.ndarray
    leaking: set[str]
    vectors: StackedVectors
    vector_at: np.ndarray


def find_barred(step: Step, pool: CandidatePool) -> Barred:
    """Look through the inputs of a step that selects."""
    of_vectors, vectors = pool_vectors(step.inputs["corpus_embeddings"])
    leaks = leaking_rows(step.inputs["target_leaks"].values())
    held_out = [row.row_id for row in held_out_rows(step.one("target_examples"))]
    vector_at, leak_at = (places_of(pool.row_id, ids) for ids in (of_vectors, leaks["row_id"]))
    is_held_out = places_of(pool.row_id, pa.array(held_out, pa.string())) >= 0
    reason = np.where(vector_at < 0, NO_VECTOR, "").astype(object)
    faulty = np.flatnonzero(pool.fault != "")
    # Whatever is said of a row is said of its copies, though their spaces may differ.
    of_id = np.full(len(pool.order), "", dtype=object)
    of_id[pool.order[faulty]] = pool.fault[faulty]
    fault = of_id[pool.order]
    reason = np.where(fault == "", reason, fault)
    reason[is_held_out | (leak_at >= 0)] = TARGET_LEAK
    leaking = {*held_out, *leaks["row_id"].to_pylist()}
    return Barred(reason, leaks, leak_at, leaking, vectors, vector_at)
