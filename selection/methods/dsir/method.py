"""DSIR (arXiv 2302.03169): rows whose hashed n-grams are likelier in the target than in the pool.

Two bags of n-grams, one of the target and one of the pool; a row's log importance weight is
``counts(x) . (log p_target - log p_pool)`` (sections 2 and 3). Resampling by weight without
replacement is the Gumbel top-k of the log-weights. Rows of any length are candidates.

Most n-grams of a broad pool are rarer in a narrow target, so that the sum falls with every word
and short rows come first whatever they say; ``normalise: length`` takes that out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from selection.basics.blocks import stretches
from selection.basics.draws import keyed_gumbel
from selection.methods.contract.common import draw_per_seed
from selection.methods.contract.known_terms import insist, lower_words, refusal_by_words
from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.dsir.ngrams import NgramCounts, NgramOptions, bucket, count_ngrams, ngrams

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_array

COUNTS = NgramCounts()
_TOP_NGRAMS = 5
_AT_ONCE = 65_536  # rows whose counts are summed together
_PAPER_SMOOTHING = 1e-8  # of `data-selection`, the package of the authors


class DsirOptions(NgramOptions):
    """Options of DSIR."""

    smoothing: Annotated[float, Field(gt=0, le=1e12)] | Literal["paper"] = Field(
        default=1.0,
        description="occurrences added to each bucket of target and pool (Laplace); paper: 1e-8 "
        "added to each share instead, as the paper's code does, so that an n-gram which a small "
        "target happens to lack outweighs all others",
    )
    normalise: Literal["none", "length"] = Field(
        default="none",
        description="none: the log-weight is the sum over a row's n-grams, as in the paper, and "
        "falls with their number; length: their mean, times the pool's mean number of n-grams, so "
        "that a row of that length keeps its weight and a draw its spread",
    )
    draw: Literal["gumbel", "top"] = Field(
        default="gumbel",
        description="gumbel: sample by weight without replacement, once per seed; top: the "
        "largest weights first",
    )


class DsirMethod(Method[DsirOptions]):
    """Log importance weights of hashed n-grams, with the n-grams that made them as receipt."""

    name: str = "dsir"
    receipts: frozenset[str] = frozenset({"log_weight", "top_ngrams"})
    options: type[DsirOptions] = DsirOptions

    def fit_asset(self, options: DsirOptions) -> str | None:
        """`dsir_log_ratios`: the pool's n-grams are summed over all sources."""
        return "log_ratios"

    def draws_per_seed(self, options: DsirOptions) -> bool:
        """A sample is drawn for each seed; the largest weights are one ranking."""
        return options.draw == "gumbel"

    def refusal(self, target: Sequence[str], pool: Iterable[str], options: DsirOptions) -> str:
        """Refuse a target of whose words the pool has next to none.

        Buckets cannot tell: words that share nothing share them.
        """
        return refusal_by_words(target, pool, lower_words)

    def preparations(self, options: DsirOptions) -> tuple[Preparation, ...]:
        """The pool's counts, which every target of it shares."""
        return (COUNTS,)

    def fit(self, inputs: FitInputs[DsirOptions]) -> Fitted:
        """Compare the target's n-grams with the pool's.

        Returns
        -------
        Fitted
            arrays log_ratio of shape (buckets,) and mean_ngrams of shape (1,), the pool's mean
            number of n-grams in a row, float64; facts give the n-grams counted and the share of the
            buckets that the target leaves empty.

        Raises
        ------
        ValueError
            When the target has no n-gram, the pool next to none of its words, or its rows carry no
            counts.
        """
        options = inputs.options
        of_target = _sum(count_ngrams(inputs.target.text, options.buckets))
        if not of_target.any():
            raise ValueError("the target's rows have no word at all; give a target with text")
        pool_texts = (text for rows in inputs.pool() for text in rows.text)
        insist(self.name, self.refusal(inputs.target.text, pool_texts, options))
        of_pool, n_pool = np.zeros(options.buckets, dtype=np.int64), 0
        for rows in inputs.pool():
            counts = _counts_of(rows, options.buckets)  # on disk, for all rows of a source
            for some in stretches(len(rows.row_id), _AT_ONCE):
                of_pool += _sum(counts[some])
            n_pool += len(rows.row_id)
        smoothing = options.smoothing
        log_ratio = _log_shares(of_target, smoothing) - _log_shares(of_pool, smoothing)
        return Fitted(
            {"log_ratio": log_ratio, "mean_ngrams": np.array([of_pool.sum() / n_pool])},
            {
                "target_ngrams": int(of_target.sum()),
                "pool_ngrams": int(of_pool.sum()),
                "empty_target_buckets": float((of_target == 0).mean()),
            },
        )

    def score(self, fitted: Fitted, inputs: ScoreInputs[DsirOptions]) -> Scores:
        """Score of shape (draws, n); receipts log_weight (without noise) and top_ngrams.

        Raises
        ------
        ValueError
            When the rows carry no counts, or without a seed for a draw.
        """
        rows = inputs.rows
        options = inputs.options
        log_ratio = fitted.arrays["log_ratio"]
        # A row of a sparse matrix is summed by itself and in the order of its buckets: the sum is
        # the same to the bit in any batch.
        counts = _counts_of(rows, options.buckets)
        log_weight = counts @ log_ratio
        if options.normalise == "length":
            # A row without an n-gram weighs 0 either way.
            log_weight *= fitted.arrays["mean_ngrams"][0] / np.maximum(counts.sum(axis=1), 1)
        score = log_weight[None, :]
        if options.draw == "gumbel":
            score = score + draw_per_seed(
                keyed_gumbel, rows, inputs.seeds, self.name, instead=", or the option draw: top"
            )
        receipts = {"log_weight": log_weight, "top_ngrams": _top_ngrams(rows.text, log_ratio)}
        return Scores(score, receipts)


METHOD = DsirMethod()


def _counts_of(rows: Rows, buckets: int) -> csr_array:
    if rows.features is None:
        raise ValueError(
            f"method {METHOD.name!r} needs n-gram counts and the {len(rows.row_id)} rows given "
            f"carry none; prepare {COUNTS.asset!r} and pass Rows with its features"
        )
    if rows.features.shape != (len(rows.row_id), buckets):
        raise ValueError(
            f"counts of shape {rows.features.shape} do not belong to {len(rows.row_id)} rows and "
            f"{buckets} buckets; prepare {COUNTS.asset!r} again with these options"
        )
    return rows.features


def _sum(counts: csr_array) -> np.ndarray:
    return np.asarray(counts.sum(axis=0, dtype=np.int64)).ravel()


def _log_shares(counts: np.ndarray, smoothing: float | Literal["paper"]) -> np.ndarray:
    if smoothing == "paper":
        return np.log(counts / counts.sum() + _PAPER_SMOOTHING)
    return np.log(counts + smoothing) - np.log(counts.sum() + smoothing * len(counts))


def _top_ngrams(texts: Iterable[str], log_ratio: np.ndarray) -> pa.Array:
    """Up to five {ngram, log_ratio, count} of each text, the largest product first.

    An n-gram adds count times log_ratio to the weight; those that add nothing are left out.
    """
    import pyarrow as pa

    ratios = log_ratio.tolist()
    found: list[tuple[str, float, int]] = []
    ends = [0]
    for text in texts:
        found += _largest_parts(text, ratios)
        ends.append(len(found))
    ngram, ratio, count = zip(*found, strict=True) if found else ((), (), ())
    columns = [
        pa.array(ngram, pa.string()),
        pa.array(ratio, pa.float64()),
        pa.array(count, pa.int32()),
    ]
    parts = pa.StructArray.from_arrays(columns, names=["ngram", "log_ratio", "count"])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), parts)


def _largest_parts(text: str, ratios: list[float]) -> list[tuple[str, float, int]]:
    parts = [
        (ngram, ratio, count)
        for ngram, count in Counter(ngrams(text)).items()
        if (ratio := ratios[bucket(ngram, len(ratios))]) > 0
    ]
    return nsmallest(_TOP_NGRAMS, parts, key=lambda part: (-part[1] * part[2], part[0]))
