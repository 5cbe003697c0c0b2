"""A faiss index over unit rows: exact while that is affordable, else of a recall it measured."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import as_numpy, unit_rows

if TYPE_CHECKING:
    import faiss
    import torch

# Every pair is looked at while the index has at most this many rows, whatever the queries; and
# above it while the pairs are at most these: in 384 dimensions, half a minute of one core. To
# cluster an index costs as much as some 10,000 exact queries of it.
EXACT_ROWS = 65_536
EXACT_PAIRS = 4_000_000_000
MIN_RECALL = 0.99
"""Share of the true neighbours that an approximate index must find on a sample of its queries."""

_RECALL_QUERIES = 1000
# faiss asks for at least 39 rows a cluster; more refine the clusters little.
_TRAINING_ROWS_PER_CELL = 64
_TRAINING_ITERATIONS = 10
# Cosines of equal rows computed in float32 differ by about this much.
_COSINE_SLACK = 1e-6


@dataclass(frozen=True)
class IndexFacts:
    """How an index searches, for an asset to report.

    Attributes
    ----------
    kind : "flat" or "ivf"
        flat: every row, exact. ivf: the rows of the ``n_probe`` nearest of ``n_cells`` clusters.
    device : "cpu" or "gpu"
    n_rows : int
    n_cells, n_probe : int or None
        None for flat.
    recall : float
        Share of the true neighbours found, measured on ``recall_queries`` queries; 1.0 for flat.
    recall_queries : int
        0 for flat, which needs no measurement.
    flops : float
        Of the products of clustering and of the measurement; 0 where neither was needed.
    """

    kind: Literal["flat", "ivf"]
    device: Literal["cpu", "gpu"]
    n_rows: int
    n_cells: int | None = None
    n_probe: int | None = None
    recall: float = 1.0
    recall_queries: int = 0
    flops: float = 0.0


class NeighbourIndex:
    """Largest cosines to a fixed set of unit rows; made by `build_index`."""

    def __init__(self, index: faiss.Index, rows_ND: np.ndarray, facts: IndexFacts) -> None:
        self._index = index
        self._rows_ND = rows_ND
        self.facts = facts

    def search(self, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the k rows of largest cosine to each query.

        Parameters
        ----------
        queries_QD : np.ndarray of shape (q, D), float32
            Unit rows.
        k : int
            From 1 to the number of rows.

        Returns
        -------
        cosines : np.ndarray of shape (q, k), float32
            Falling.
        indices : np.ndarray of shape (q, k), int64
            Of existing rows, always: see below.
        """
        cosines_QK, indices_QK = _searched(self._index, queries_QD, k, self.facts.n_probe)
        # Clusters with fewer than k rows between them leave -1, which numpy would take for the
        # last row; such a query is answered exactly.
        short_Q = (indices_QK < 0).any(axis=1)
        if short_Q.any():
            cosines_QK[short_Q], indices_QK[short_Q] = _exact(self._rows_ND, queries_QD[short_Q], k)
        return cosines_QK, indices_QK

    def search_flops(self, n_queries: int) -> float:
        """FLOPs of the products of a search: every row, or those of as many mean clusters."""
        n, width = self._rows_ND.shape
        return 2.0 * width * n_queries * _looked_at(n, self.facts.n_cells, self.facts.n_probe)


def build_index(
    rows_ND: np.ndarray,
    queries: ArrayLike | torch.Tensor,
    k: int,
    *,
    seed: int = 0,
    exact_rows: int = EXACT_ROWS,
    exact_pairs: int = EXACT_PAIRS,
) -> NeighbourIndex:
    """Build the index that answers these queries: exact, or with a measured recall.

    An approximate index searches twice as many clusters until it finds `MIN_RECALL` of the true k
    neighbours of a sample of the queries; where that takes all clusters, every row is searched.
    It moves to a GPU when one is visible.

    Parameters
    ----------
    rows_ND : np.ndarray of shape (n, D), float32
        Unit rows to search among; kept, not copied, for queries that need an exact answer.
    queries : array or tensor of shape (q, D), any float dtype
        What will be searched for; at most a seeded sample of 1,000 is read.
    k : int
        Neighbours that will be asked for, from 1 to n.
    seed : int
        Of the clustering and of both samples; the same input gives the same index.
    exact_rows, exact_pairs : int
        The index is exact when n is at most the first, or n x q at most the second.

    Raises
    ------
    ValueError
        k outside 1..n, or unusable queries in the sample.
    """
    import faiss

    n, width = rows_ND.shape
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}; with {n} rows to search it must be from 1 to {n}")
    queries_ND = as_numpy(queries)
    if n <= exact_rows or n * len(queries_ND) <= exact_pairs:
        return _flat(rows_ND)

    rng = np.random.default_rng(seed)
    sampled = np.sort(rng.permutation(len(queries_ND))[:_RECALL_QUERIES])
    sample_QD = unit_rows(queries_ND[sampled], "sampled queries", dtype=np.float32, width=width)
    n_cells = int(4 * np.sqrt(n))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, n_cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.cp.niter = _TRAINING_ITERATIONS
    index.cp.spherical = True
    training = np.sort(rng.permutation(n)[: n_cells * _TRAINING_ROWS_PER_CELL])
    index.train(rows_ND[training])  # pyright: ignore[reportCallIssue]
    index.add(rows_ND)  # pyright: ignore[reportCallIssue]
    placed, device = _placed(index)

    true_QK, _ = _exact(rows_ND, sample_QD, k)
    looked_at = n_cells * (_TRAINING_ITERATIONS * len(training) + n) + n * len(sample_QD)
    n_probe = 1
    while n_probe < n_cells:
        found_QK, _ = _searched(placed, sample_QD, k, n_probe)
        looked_at += len(sample_QD) * _looked_at(n, n_cells, n_probe)
        recall = _recall(found_QK, true_QK)
        if recall >= MIN_RECALL:
            flops = 2.0 * width * looked_at
            facts = IndexFacts("ivf", device, n, n_cells, n_probe, recall, len(sample_QD), flops)
            return NeighbourIndex(placed, rows_ND, facts)
        n_probe *= 2
    return _flat(rows_ND, flops=2.0 * width * looked_at)


def gpus_for(faiss_module: ModuleType) -> int:
    """Count the GPUs that this build of faiss can use: 0 for a build without GPU support."""
    if not hasattr(faiss_module, "StandardGpuResources"):
        return 0
    return int(faiss_module.get_num_gpus())


def _placed(index: faiss.Index) -> tuple[faiss.Index, Literal["cpu", "gpu"]]:
    """Move an index to the first GPU when there is one."""
    import faiss

    if gpus_for(faiss) == 0:
        return index, "cpu"
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index), "gpu"


def _looked_at(n: int, n_cells: int | None, n_probe: int | None) -> float:
    """Rows and cluster centres that one query is compared with."""
    if n_cells is None or n_probe is None:
        return float(n)
    return n_cells + n * n_probe / n_cells


def _flat(rows_ND: np.ndarray, *, flops: float = 0.0) -> NeighbourIndex:
    import faiss

    index = faiss.IndexFlatIP(rows_ND.shape[1])
    index.add(rows_ND)  # pyright: ignore[reportCallIssue]
    placed, device = _placed(index)
    return NeighbourIndex(placed, rows_ND, IndexFacts("flat", device, len(rows_ND), flops=flops))


def _searched(
    index: faiss.Index, queries_QD: np.ndarray, k: int, n_probe: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Search, in ``n_probe`` clusters or in an index that has none; -1 where rows ran out."""
    import faiss

    params = None
    if n_probe is not None:
        params = faiss.SearchParametersIVF()
        params.nprobe = n_probe
    return index.search(queries_QD, k, params=params)  # pyright: ignore[reportCallIssue]


def _exact(rows_ND: np.ndarray, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Search every row, without an index that would copy the rows."""
    import faiss

    return faiss.knn(queries_QD, rows_ND, k, metric=faiss.METRIC_INNER_PRODUCT)


def _recall(found_QK: np.ndarray, true_QK: np.ndarray) -> float:
    """Share of the true k cosines that were found.

    By cosine and not by row: of many copies of a row, any is as near as the others. A missing
    neighbour has the lowest cosine there is.
    """
    return float((found_QK >= true_QK[:, -1:] - _COSINE_SLACK).mean())
