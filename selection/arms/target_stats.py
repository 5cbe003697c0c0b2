"""What the target looks like, and which source of the pool is nearest to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.basics.words import words
from selection.transport.distance import ot_distance
from selection.transport.points import unit_rows

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

MAX_OT_ROWS = 500
_QUANTILES = {
    "min": 0.0,
    "p05": 0.05,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "max": 1.0,
}


@dataclass(frozen=True)
class TargetStats:
    """Description of a target set; m rows, embedding width d.

    Attributes
    ----------
    n : int
        Rows of the target (m).
    n_words : int
        Words and punctuation marks of all its rows.
    word_quantiles : dict of str to float
        Quantiles of the words per row, from "min" over "p05" ... "p95" to "max".
    centroid : ndarray of shape (d,), float64
        Mean of the L2-normalised embeddings. Its norm is near one for a tight target.
    eigenvalues : ndarray of shape (min(m, d),), float64
        Spectrum of the embeddings' covariance (divided by m), largest first.
    effective_rank : float
        Exponential of the entropy of the normalised spectrum (Roy & Vetterli 2007, "The effective
        rank", EUSIPCO), between 1 and min(m, d); 0 when the rows are all the same.
    self_distance : float
        Mean squared Euclidean distance between two distinct rows: the scale that the entropic
        regularisation is relative to. 0 for a single row.
    distances : dict of str to float
        Source to exact OT distance (squared Euclidean cost) between its sample and the target's.
    rows_compared : dict of str to tuple of (int, int)
        Source to the rows used on its side and on the target's: distances of samples of unlike
        size do not compare, because an empirical OT distance falls as the samples grow.
    nearest_source : str
        Source of least distance; ties go to the first by name.
    type_overlap, token_overlap : float
        Share of the target's distinct words, and of its running words, that the pool contains.
    """

    n: int
    n_words: int
    word_quantiles: dict[str, float]
    centroid: np.ndarray
    eigenvalues: np.ndarray
    effective_rank: float
    self_distance: float
    distances: dict[str, float]
    rows_compared: dict[str, tuple[int, int]]
    nearest_source: str
    type_overlap: float
    token_overlap: float

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as JSON values: arrays and tuples become lists."""
        return {
            **vars(self),
            "centroid": self.centroid.tolist(),
            "eigenvalues": self.eigenvalues.tolist(),
            "rows_compared": {name: list(rows) for name, rows in self.rows_compared.items()},
        }


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """Count the lower-cased words of some texts: the pool's vocabulary, for instance.

    Parameters
    ----------
    texts : iterable of str
        Read once, in a stream.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text.lower()))
    return counts


def words_found(wanted: Iterable[str], texts: Iterable[str]) -> set[str]:
    """Give those of some lower-cased words that texts have; they are read until all are found."""
    missing = set(wanted)
    found: set[str] = set()
    for text in texts:
        if not missing:
            break
        new = missing.intersection(words(text.lower()))
        found |= new
        missing -= new
    return found


def describe_target(
    target_embeddings: np.ndarray,
    texts: Sequence[str],
    n_words: np.ndarray,
    *,
    sources: Mapping[str, np.ndarray],
    pool_vocabulary: Container[str],
    seed: int,
) -> TargetStats:
    """Describe a target and its distance to every source of the pool.

    Parameters
    ----------
    target_embeddings : ndarray of shape (m, d)
        Any float type; rows are L2-normalised here.
    texts : sequence of str, length m
        The target's rows.
    n_words : ndarray of shape (m,)
        Words and punctuation marks of each row.
    sources : mapping of str to ndarray of shape (any, d)
        Sample of each source's embeddings; at most 500 rows of it, and of the target, are drawn.
    pool_vocabulary : container of str
        Lower-cased words of the pool; of others than the target's nothing is asked.
    seed : int
        Seed of the draws, which depend on a set's own rows only.

    Raises
    ------
    ValueError
        If shapes disagree, an embedding is not finite or has no direction, there is no source, or
        the target holds no word.
    """
    target = unit_rows(target_embeddings, "target_embeddings")
    n_rows = len(target)
    n_words = np.asarray(n_words)
    if len(texts) != n_rows or n_words.shape != (n_rows,):
        raise ValueError(
            f"the target has {n_rows} embeddings, {len(texts)} texts and n_words of shape "
            f"{n_words.shape}: give one of each per row."
        )
    if not sources:
        raise ValueError("sources is empty: a target is described against at least one source.")

    centroid = target.mean(axis=0)
    eigenvalues = np.linalg.svd(target - centroid, compute_uv=False) ** 2 / n_rows
    distances: dict[str, float] = {}
    rows_compared: dict[str, tuple[int, int]] = {}
    for name in sorted(sources):
        source = unit_rows(sources[name], f"sources[{name!r}]", width=target.shape[1])
        result = ot_distance(source, target, seed=seed, max_rows=MAX_OT_ROWS)
        distances[name] = result.distance
        rows_compared[name] = (result.rows_x, result.rows_y)
    type_overlap, token_overlap = _vocabulary_overlap(texts, pool_vocabulary)

    return TargetStats(
        n=n_rows,
        n_words=int(n_words.sum()),
        word_quantiles={k: float(np.quantile(n_words, q)) for k, q in _QUANTILES.items()},
        centroid=centroid,
        eigenvalues=eigenvalues,
        effective_rank=_effective_rank(eigenvalues),
        # Over all pairs the mean is twice the total variance; a row's pair with itself is left out.
        self_distance=float(2 * eigenvalues.sum() * n_rows / max(n_rows - 1, 1)),
        distances=distances,
        rows_compared=rows_compared,
        nearest_source=min(distances, key=lambda name: distances[name]),
        type_overlap=type_overlap,
        token_overlap=token_overlap,
    )


def _effective_rank(eigenvalues: np.ndarray) -> float:
    # Rounding leaves about 1e-32 where the variance of unit vectors is zero.
    if eigenvalues.sum() < 1e-24:
        return 0.0
    share = eigenvalues / eigenvalues.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def _vocabulary_overlap(texts: Sequence[str], pool: Container[str]) -> tuple[float, float]:
    counts = word_counts(texts)
    if not counts:
        raise ValueError("no text of the target holds a word: check the column that is read.")
    shared = [word for word in counts if word in pool]
    return len(shared) / len(counts), sum(counts[w] for w in shared) / counts.total()
