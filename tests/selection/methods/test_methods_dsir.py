from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from preparing import prepare, values_of
from real_texts import generated_texts, real_texts, rows_of
from scipy.sparse import csr_array

from selection.methods import REGISTRY
from selection.methods.contract.preparation import PrepareInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.dsir.method import DsirOptions
from selection.methods.dsir.ngrams import NgramCounts, NgramOptions, count_ngrams, ngrams

METHOD = REGISTRY["dsir"]


def fit(pool: Sequence[Rows], target: Rows, work: Path, options: dict) -> tuple[list[Rows], Fitted]:
    rows, _ = prepare(METHOD, pool, (), DsirOptions(**options), work)
    n_pool = sum(len(one.row_id) for one in rows)
    given = FitInputs(target, lambda: iter(rows), n_pool, DsirOptions(**options), seed=0)
    return rows, METHOD.fit(given)


def score(fitted: Fitted, rows: Rows, target: Rows, options: dict, seeds=(0,)) -> Scores:
    given = ScoreInputs(rows, target=target, options=DsirOptions(**options), seeds=seeds)
    return METHOD.score(fitted, given)


def direct_ngrams(text: str) -> list[str]:
    words = re.findall(r"\w+|[^\w\s]+", text.lower())
    found = []
    for i, word in enumerate(words):
        found.append(word)
        if i + 1 < len(words):
            found.append(word + " " + words[i + 1])
    return found


def direct_bucket(ngram: str, buckets: int) -> int:
    return xxhash.xxh3_64(ngram.encode("utf-8")).intdigest() % buckets


def direct_ratios(pool: list[str], target: list[str], buckets: int, smoothing: float) -> list:
    """Log ratios bucket by bucket, in plain floats."""

    def shares(texts: list[str]) -> list[float]:
        counts = Counter(direct_bucket(n, buckets) for text in texts for n in direct_ngrams(text))
        total = sum(counts.values()) + smoothing * buckets
        return [(counts[one] + smoothing) / total for one in range(buckets)]

    both = zip(shares(target), shares(pool), strict=True)
    return [math.log(p) - math.log(q) for p, q in both]


def pool_and_target(kind: str) -> tuple[dict[str, list[str]], list[str]]:
    if kind == "generated":
        return generated_texts(40), generated_texts(9, 1)["law"]
    news = real_texts("targets/ag_news", "split", 40)["train"]
    return real_texts("pool_domains_small", "domain", 25), news


@pytest.mark.parametrize("kind", ["generated", "real"])
@pytest.mark.parametrize(("buckets", "smoothing"), [(10_000, 1.0), (64, 0.1)])
def test_weights_are_those_of_counting_by_hand(kind, buckets, smoothing, tmp_path, figures):
    topics, target = pool_and_target(kind)
    options = {"buckets": buckets, "smoothing": smoothing, "draw": "top"}
    pool = [rows_of(texts, topic) for topic, texts in topics.items()]
    rows, fitted = fit(pool, rows_of(target), tmp_path, options)
    texts = [text for one in topics.values() for text in one]
    ratios = direct_ratios(texts, target, buckets, smoothing)
    np.testing.assert_allclose(fitted.arrays["log_ratio"], ratios, atol=1e-12)
    figures.record("M2", log_ratios_compared=buckets, weights_compared=len(texts))
    for one in rows:
        found = score(fitted, one, rows_of(target), options)
        expected = [
            sum(ratios[direct_bucket(n, buckets)] for n in direct_ngrams(text)) for text in one.text
        ]
        np.testing.assert_allclose(found.score[0], expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(found.receipts["log_weight"], found.score[0])


@pytest.mark.parametrize("kind", ["generated", "real"])
def test_the_receipt_names_the_ngrams_that_add_most_to_the_weight(kind, tmp_path):
    topics, target = pool_and_target(kind)
    pool = [text for texts in topics.values() for text in texts]
    (rows,), fitted = fit([rows_of(pool)], rows_of(target), tmp_path, {})
    ratios = direct_ratios(pool, target, 10_000, 1.0)
    found = values_of(score(fitted, rows, rows_of(target), {}).receipts["top_ngrams"])
    for text, of_row in zip(pool, found, strict=True):
        counts = Counter(direct_ngrams(text))
        parts = {n: c * ratios[direct_bucket(n, 10_000)] for n, c in counts.items()}
        largest = sorted((part for part in parts.values() if part > 0), reverse=True)[:5]
        products = [one["count"] * one["log_ratio"] for one in of_row]
        np.testing.assert_allclose(products, largest, atol=1e-9)
        for one in of_row:
            assert one["count"] == counts[one["ngram"]]
            assert one["log_ratio"] == pytest.approx(ratios[direct_bucket(one["ngram"], 10_000)])


def test_rows_of_the_target_s_topic_come_first_in_real_text(tmp_path):
    domains = real_texts("pool_domains_small", "domain", 40)
    target = rows_of(real_texts("targets/ag_news", "split", 200)["train"])
    pool = [rows_of(texts, domain) for domain, texts in domains.items()]
    rows, fitted = fit(pool, target, tmp_path, {"draw": "top"})
    scores = [score(fitted, one, target, {"draw": "top"}).score[0] for one in rows]
    domain = np.repeat(list(domains), [len(one) for one in scores])
    first = domain[np.argsort(-np.concatenate(scores))[:32]]
    assert np.mean(first == "news") > 3 / 4


WORDS = ("gene", "Court", "judge", "market", "the", "of", "x", "e\u0301clair", "cell's", "?!", ",")
TEXT = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(
    st.data(),
    st.lists(TEXT, min_size=1, max_size=12, unique=True),
    st.lists(st.sampled_from(["gene court", "the judge, of"]), min_size=1, max_size=3),
)
def test_order_sources_and_batches_of_the_pool_change_no_score(
    tmp_path_factory, data, texts, queries
):
    # A target of which the pool has no word is refused.
    assume(set(" ".join(texts).lower().split()) & set(" ".join(queries).replace(",", "").split()))
    target, options = rows_of(queries), {"buckets": 32}
    (rows,), fitted = fit([rows_of(texts)], target, tmp_path_factory.mktemp("whole"), options)
    whole = score(fitted, rows, target, options, (0, 7))
    expected = dict(zip(texts, whole.score.T.tolist(), strict=True))

    shuffled = data.draw(st.permutations(texts))
    cut = data.draw(st.integers(0, len(texts)))
    sources = [rows_of(shuffled[:cut], "a"), rows_of(shuffled[cut:], "b")]
    split, refitted = fit(sources, target, tmp_path_factory.mktemp("split"), options)
    np.testing.assert_array_equal(refitted.arrays["log_ratio"], fitted.arrays["log_ratio"])
    for one in split:
        for batch in (one.take(slice(0, 2)), one.take(slice(2, None))):
            found = score(refitted, batch, target, options, (0, 7))
            assert found.score.T.tolist() == [expected[text] for text in batch.text]


def test_gumbel_top_k_is_a_draw_one_by_one_without_replacement():
    """Every ordered pair comes first as often as the weights say."""
    rows = rows_of([f"word{i}" for i in range(4)])
    log_weight = np.log([8.0, 4.0, 2.0, 1.0])
    seen: Counter[tuple[int, ...]] = Counter()
    rows = replace(rows, features=csr_array(np.eye(4, dtype=np.int32)))
    options, n_draws = {"buckets": 4}, 6000
    fitted = Fitted({"log_ratio": log_weight})
    draws = METHOD.score(
        fitted, ScoreInputs(rows, target=rows, options=DsirOptions(**options), seeds=range(n_draws))
    ).score
    for order in np.argsort(-draws, axis=1)[:, :2].tolist():
        seen[tuple(order)] += 1
    weight = np.exp(log_weight)
    pairs = list(permutations(range(4), 2))
    total = weight.sum()
    exact = [weight[i] / total * weight[j] / (total - weight[i]) for i, j in pairs]
    expected = np.array(exact) * n_draws
    counts = np.array([seen[pair] for pair in pairs])
    # Chi-square with 11 degrees of freedom; 31.3 is its 99.9 % point, and the draws are fixed.
    assert ((counts - expected) ** 2 / expected).sum() < 31.3


def test_each_seed_draws_anew_unless_the_largest_weights_are_asked_for(tmp_path):
    pool, target = rows_of(generated_texts(30)["law"]), rows_of(generated_texts(5, 1)["law"])
    assert METHOD.draws_per_seed(DsirOptions())
    assert not METHOD.draws_per_seed(DsirOptions(draw="top"))
    (rows,), fitted = fit([pool], target, tmp_path, {})
    draws = score(fitted, rows, target, {}, seeds=(1, 2)).score
    assert draws.shape == (2, 30) and (draws[0] != draws[1]).all()
    assert score(fitted, rows, target, {"draw": "top"}, seeds=(1, 2)).score.shape == (1, 30)
    with pytest.raises(ValueError, match="no seed"):
        score(fitted, rows, target, {}, seeds=())


@RELAXED
@given(TEXT)
def test_ngrams_are_words_punctuation_and_pairs_in_lower_case(text):
    composed = text.replace("e\u0301", "\u00e9")
    assert Counter(ngrams(text)) == Counter(direct_ngrams(composed))


def test_a_bucket_is_the_same_in_every_process_and_release():
    counts = count_ngrams(["the judge"], 10_000)
    assert counts.indices.tolist() == [6631, 6813, 9635]
    assert counts.data.tolist() == [1, 1, 1]


def test_rows_of_any_length_are_candidates(tmp_path):
    pool, target = rows_of(["", "judge", "judge " * 500]), rows_of(["judge"])
    (rows,), fitted = fit([pool], target, tmp_path, {"draw": "top"})
    scores = score(fitted, rows, target, {"draw": "top"}).score[0]
    assert scores[0] == 0.0 and np.isfinite(scores).all()


def test_counting_goes_on_after_a_kill_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("selection.methods.dsir.ngrams._BLOCK_ROWS", 10)
    rows = rows_of(generated_texts(35)["law"])
    inputs = PrepareInputs(DsirOptions(), lambda: iter([rows]), 35, tmp_path)
    counted: list[int] = []

    def count(texts: list[str], buckets: int, dies_at: int | None = None) -> Any:
        if len(counted) == dies_at:
            raise KeyboardInterrupt
        counted.append(len(texts))
        return count_ngrams(texts, buckets)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("selection.methods.dsir.ngrams.count_ngrams", lambda t, b: count(t, b, 2))
        NgramCounts().prepare(inputs)
    monkeypatch.setattr("selection.methods.dsir.ngrams.count_ngrams", count)
    features = NgramCounts().features(NgramCounts().prepare(inputs))
    assert counted == [10, 10, 10, 5]
    direct = count_ngrams(rows.text, 10_000)
    np.testing.assert_array_equal(features.toarray(), direct.toarray())


def test_counts_of_other_buckets_are_not_taken_for_these(tmp_path):
    rows = rows_of(generated_texts(20)["law"])
    for buckets in (64, 90, 64):
        inputs = PrepareInputs(NgramOptions(buckets=buckets), lambda: iter([rows]), 20, tmp_path)
        features = NgramCounts().features(NgramCounts().prepare(inputs))
        np.testing.assert_array_equal(
            features.toarray(), count_ngrams(rows.text, buckets).toarray()
        )


def test_an_empty_source_has_counts_and_scores(tmp_path):
    pool, target = [rows_of([], "none"), rows_of(["judge"], "one")], rows_of(["judge"])
    rows, fitted = fit(pool, target, tmp_path, {})
    assert rows[0].features.shape == (0, 10_000)
    assert score(fitted, rows[0], target, {}).score.shape == (1, 0)


def test_what_is_missing_is_said(tmp_path):
    pool, target = rows_of(["judge"]), rows_of(["judge"])
    (rows,), fitted = fit([pool], target, tmp_path, {})
    with pytest.raises(ValueError, match="carry none; prepare 'ngram_counts'"):
        score(fitted, pool, target, {})
    with pytest.raises(ValueError, match=r"1 rows and 32 buckets; prepare 'ngram_counts' again"):
        score(fitted, rows, target, {"buckets": 32})
    with pytest.raises(ValueError, match="no word at all"):
        fit([pool], rows_of(["", "  "]), tmp_path, {})
