"""BM25 and DSIR against the packages that others use, on ASCII text, where words are the same."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ranking import rank
from real_texts import generated_texts, real_texts

from selection.methods import REGISTRY
from selection.methods.bm25.index import Bm25Options
from selection.methods.dsir.method import DsirOptions

MISSING = "the extra `peers` is not installed"
TOP = 0.05


def pool_and_target(kind: str) -> tuple[list[str], list[str]]:
    """Texts of ASCII characters only, no two the same."""
    if kind == "generated":
        topics, target = generated_texts(60), generated_texts(12, 1)["law"]
    else:
        topics = real_texts("pool_domains_small", "domain", 100)
        target = real_texts("targets/chemprot", "split", 100)["train"]
    pool = dict.fromkeys(text for texts in topics.values() for text in texts)
    return [t for t in pool if t.isascii()], [t for t in target if t.isascii()]


def our_scores(
    method: str, options: Any, pool: list[str], target: list[str], work: Path
) -> np.ndarray:
    return rank(REGISTRY[method], options, pool, target, work)[0].score[0]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the best 5 % that two scores have in common."""
    n_top = math.ceil(TOP * len(one))
    best = [set(np.argsort(-scores, kind="stable")[:n_top].tolist()) for scores in (one, other)]
    return len(best[0] & best[1]) / n_top


def their_weights(pool: Sequence[str], target: Sequence[str], folder: Path) -> np.ndarray:
    """Log importance weights of `data-selection` with its defaults, of all rows however short."""
    files = {"pool": pool, "target": target}
    for name, texts in files.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{name}.jsonl").write_text(lines)
    package = pytest.importorskip("data_selection", reason=MISSING)
    dsir = package.HashedNgramDSIR(
        *([str(folder / f"{name}.jsonl")] for name in files), cache_dir=str(folder), num_proc=1
    )
    dsir.fit_importance_estimator()
    dsir.compute_importance_weights()
    return np.load(dsir.log_importance_weights_dir / "0.npy")


@pytest.mark.parametrize("kind", ["generated", "real"])
def test_dsir_with_the_package_s_hash_and_smoothing_has_its_weights(kind, tmp_path, monkeypatch):
    pytest.importorskip("data_selection", reason=MISSING)
    from data_selection.hashed_ngram_dsir import hash_buckets

    for module in ("ngrams", "method"):
        monkeypatch.setattr(f"selection.methods.dsir.{module}.bucket", hash_buckets)
    pool, target = pool_and_target(kind)
    options = DsirOptions(draw="top", smoothing="paper")
    ours = our_scores("dsir", options, pool, target, tmp_path)
    theirs = their_weights(pool, target, tmp_path)
    assert np.ptp(theirs) > 10
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_dsir_by_default_takes_about_half_of_the_rows_that_the_package_takes(tmp_path):
    """It hashes otherwise, and adds an occurrence to each bucket where the package adds 1e-8."""
    pool, target = pool_and_target("real")
    theirs = their_weights(pool, target, tmp_path)
    found = {
        smoothing: overlap(
            our_scores(
                "dsir",
                DsirOptions(draw="top", smoothing=smoothing),
                pool,
                target,
                tmp_path,
            ),
            theirs,
        )
        for smoothing in (1.0, "paper")
    }
    assert 0.4 < found[1.0] < 0.6
    assert 0.7 < found["paper"] < 0.9  # what is left is the hash


@pytest.mark.parametrize("kind", ["generated", "real"])
@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4)])
def test_bm25_is_that_of_bm25s_averaged_over_the_queries(kind, k1, b, tmp_path):
    import bm25s

    pool, target = pool_and_target(kind)
    index = bm25s.BM25(k1=k1, b=b, method="lucene")
    index.index(bm25s.tokenize(pool, show_progress=False), show_progress=False)
    queries = bm25s.tokenize(target, return_ids=False, show_progress=False)
    theirs = np.mean([index.get_scores(query) for query in queries], axis=0)
    ours = our_scores("bm25", Bm25Options(k1=k1, b=b), pool, target, tmp_path)
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # theirs are float32


@pytest.mark.parametrize("kind", ["generated", "real"])
def test_bm25_is_that_of_rank_bm25_with_lucene_s_weight_of_a_word(kind, tmp_path):
    package = pytest.importorskip("rank_bm25", reason=MISSING)
    import bm25s

    class Lucene(package.BM25Okapi):
        def _calc_idf(self, nd: dict[str, int]) -> None:
            n = self.corpus_size
            # The package's scores have a factor k1 + 1, which no ranking sees.
            self.idf = {
                word: math.log(1 + (n - f + 0.5) / (f + 0.5)) / (self.k1 + 1)
                for word, f in nd.items()
            }

    pool, target = pool_and_target(kind)
    target = target[:10]  # it reads the whole pool for each word of a query
    documents = bm25s.tokenize(pool, return_ids=False, show_progress=False)
    queries = bm25s.tokenize(target, return_ids=False, show_progress=False)
    ours = our_scores("bm25", Bm25Options(), pool, target, tmp_path)
    theirs = {
        kind: np.mean([kind(documents).get_scores(query) for query in queries], axis=0)
        for kind in (Lucene, package.BM25Okapi)
    }
    np.testing.assert_allclose(ours, theirs[Lucene], rtol=2e-6, atol=1e-9)
    # With Robertson's weight, its own, the best rows are nearly the same.
    assert overlap(ours, theirs[package.BM25Okapi]) > 0.85
