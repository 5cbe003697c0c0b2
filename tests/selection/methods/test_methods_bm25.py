from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bm25s.stopwords import STOPWORDS_EN, STOPWORDS_EN_PLUS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from preparing import prepare, values_of
from real_texts import generated_texts, real_texts, rows_of

from selection.methods import REGISTRY
from selection.methods.bm25.index import Bm25Index, Bm25Options, _words_of
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.preparation import PrepareInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores
from selection.methods.contract.values import Rows

METHOD = REGISTRY["bm25"]
COMPRESSED = ("data", "indices", "indptr")


def run(
    pool: Sequence[Rows], target: Rows, work: Path, **options: Any
) -> tuple[list[Scores], Fitted]:
    rows, prepared = prepare(METHOD, pool, (), Bm25Options(**options), work)
    given = Bm25Options(**options)
    fitted = METHOD.fit(FitInputs(target, lambda: iter(rows), 0, given, 0, prepared=prepared))
    scores = [
        METHOD.score(
            fitted, ScoreInputs(one, target=target, options=given, seeds=(), prepared=prepared)
        )
        for one in rows
    ]
    return scores, fitted


STOPWORDS = {"english": STOPWORDS_EN, "english_plus": STOPWORDS_EN_PLUS, "none": ()}


def terms(text: str, stopwords: str = "english") -> list[str]:
    words = [word for word in re.findall(r"\w+", text.lower()) if len(word) > 1]
    return [word for word in words if word not in STOPWORDS[stopwords]]


def textbook(
    documents: list[str], queries: list[str], k1: float, b: float, stopwords: str = "english"
) -> tuple[list[float], list[dict[str, float]]]:
    """Mean BM25 over the queries, document by document and word by word, in plain floats."""
    words = [terms(document, stopwords) for document in documents]
    mean_length = sum(map(len, words)) / len(words)
    in_documents = Counter(word for one in words for word in set(one))
    parts = []
    for document in words:
        counts = Counter(document)
        of_document: dict[str, float] = defaultdict(float)
        for query in queries:
            for word in terms(query, stopwords):
                if word not in counts:
                    continue
                n = in_documents[word]
                idf = math.log(1 + (len(words) - n + 0.5) / (n + 0.5))
                length = 1 - b + b * len(document) / mean_length
                weight = idf * counts[word] / (counts[word] + k1 * length)
                of_document[word] += weight / len(queries)
        parts.append(of_document)
    return [sum(one.values()) for one in parts], parts


def pool_and_target(kind: str) -> tuple[list[str], list[str]]:
    if kind == "generated":
        topics = generated_texts(40)
        return [t for texts in topics.values() for t in texts], generated_texts(9, 1)["law"]
    domains = real_texts("pool_domains_small", "domain", 25)
    pool = [t for texts in domains.values() for t in texts]
    return pool, real_texts("targets/ag_news", "split", 12)["train"]


@pytest.mark.parametrize("kind", ["generated", "real"])
@pytest.mark.parametrize(
    "options",
    [{}, {"k1": 0.9, "b": 0.4}, {"b": 0.0}, {"stopwords": "none"}, {"stopwords": "english_plus"}],
    ids=["defaults", "k1 and b", "no length", "every word", "fewer words"],
)
def test_scores_are_those_of_the_textbook(kind, options, tmp_path, figures):
    pool, target = pool_and_target(kind)
    (scores,), _ = run([rows_of(pool)], rows_of(target), tmp_path, **options)
    stopwords = options.get("stopwords", "english")
    expected, _ = textbook(pool, target, options.get("k1", 1.5), options.get("b", 0.75), stopwords)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(scores.score[0], expected, rtol=2e-6, atol=1e-9)
    figures.record("M1", scores_compared=len(expected))


@pytest.mark.parametrize("kind", ["generated", "real"])
def test_the_receipt_names_the_words_that_add_most_to_the_score(kind, tmp_path):
    pool, target = pool_and_target(kind)
    (scores,), _ = run([rows_of(pool)], rows_of(target), tmp_path)
    _, parts = textbook(pool, target, 1.5, 0.75)
    for found, expected in zip(values_of(scores.receipts["top_terms"]), parts, strict=True):
        largest = sorted(expected.values(), reverse=True)[:5]
        np.testing.assert_allclose([one["score"] for one in found], largest, rtol=2e-6)
        for one in found:
            assert one["score"] == pytest.approx(expected[one["term"]], rel=2e-6)


def test_fewer_than_six_words_make_up_the_whole_score(tmp_path):
    pool = rows_of(["court ruling", "court statute judge tenant", "gene", "judge the judge"])
    (scores,), _ = run([pool], rows_of(["the court, the judge and the statute"]), tmp_path)
    parts = [sum(one["score"] for one in row) for row in values_of(scores.receipts["top_terms"])]
    np.testing.assert_allclose(parts, scores.score[0], rtol=1e-15)
    assert values_of(scores.receipts["top_terms"])[2] == []


def test_rows_of_the_target_s_topic_come_first_in_real_text(tmp_path):
    domains = real_texts("pool_domains_small", "domain", 40)
    target = rows_of(real_texts("targets/chemprot", "split", 100)["train"])
    pool = [rows_of(texts, domain) for domain, texts in domains.items()]
    found, _ = run(pool, target, tmp_path)
    scores = np.concatenate([one.score[0] for one in found])
    domain = np.repeat([one.source for one in pool], [len(one.row_id) for one in pool])
    first = domain[np.argsort(-scores)[:16]]
    # One domain of eight: two of them by chance.
    assert np.sum(first == "biomedical") >= 10


WORDS = ("gene", "court", "judge", "market", "the", "of", "x", "éclair", "cell's")
TEXT = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
POOL = st.lists(TEXT, min_size=1, max_size=12, unique=True)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def known(texts: list[str], queries: list[str]) -> bool:
    """Whether the pool has any word of the target; else the method refuses it."""
    return any(set(terms(" ".join(texts))) & set(terms(query)) for query in queries)


@RELAXED
@given(st.data(), POOL, st.lists(TEXT, min_size=1, max_size=4))
def test_order_sources_and_batches_of_the_pool_change_no_score(
    tmp_path_factory, data, texts, queries
):
    assume(known(texts, queries))
    target = rows_of(queries)
    (whole,), _ = run([rows_of(texts)], target, tmp_path_factory.mktemp("pool"))
    expected = dict(zip(texts, whole.score[0].tolist(), strict=True))

    shuffled = data.draw(st.permutations(texts))
    cut = data.draw(st.integers(0, len(texts)))
    # The second source repeats a row of the first.
    sources = [shuffled[:cut], shuffled[cut:] + shuffled[:1]]
    rows = [rows_of(list(dict.fromkeys(s)), str(i)) for i, s in enumerate(sources) if s]
    found, _ = run(rows, target, tmp_path_factory.mktemp("pool"))
    for one, scores in zip(rows, found, strict=True):
        assert scores.score[0].tolist() == [expected[text] for text in one.text]


@RELAXED
@given(POOL, TEXT)
def test_a_row_without_a_word_of_the_target_scores_zero_and_no_other_does(
    tmp_path_factory, texts, query
):
    assume(known(texts, [query]))
    (scores,), _ = run([rows_of(texts)], rows_of([query]), tmp_path_factory.mktemp("pool"))
    shares = [bool(set(terms(text)) & set(terms(query))) for text in texts]
    assert (scores.score[0] > 0).tolist() == shares


def test_an_accent_written_in_two_ways_is_the_same_word(tmp_path):
    pool = rows_of(["the éclair of law", "the judge of law"])
    (scores,), _ = run([pool], rows_of(["e\u0301clair"]), tmp_path)
    assert scores.score[0][0] > 0


def test_the_index_is_plain_files_that_do_not_depend_on_the_target(tmp_path):
    texts, _ = pool_and_target("generated")
    pool = rows_of(texts)
    # as Parquet gives them
    pool = replace(pool, row_id=pool.row_id.astype(object))
    _, prepared = prepare(METHOD, [pool], (), Bm25Options(), tmp_path)
    files = prepared["bm25_index"].files
    assert json.loads(json.dumps(files["vocabulary.json"])) == sorted(files["vocabulary.json"])
    assert files["row_id.npy"].dtype.kind == "S"
    assert files["row_id.npy"].tolist() == sorted(files["row_id.npy"].tolist())
    kinds = {name: files[f"{name}.npy"].dtype.kind for name in ("place", *COMPRESSED)}
    assert kinds == {"place": "i", "data": "f", "indices": "i", "indptr": "i"}


@pytest.mark.parametrize("block_rows", [1, 7, 1000])
def test_an_index_read_in_blocks_is_the_same(block_rows, tmp_path, monkeypatch):
    pool, _ = pool_and_target("real")
    half = len(pool) // 2
    sources = [rows_of(pool[:half]), rows_of(pool[half - 3 :])]  # three texts are in both
    (tmp_path / "whole").mkdir()
    _, whole = prepare(METHOD, sources, (), Bm25Options(), tmp_path / "whole")
    monkeypatch.setattr("selection.methods.bm25.index._BLOCK_ROWS", block_rows)
    (tmp_path / "blocks").mkdir()
    _, blocks = prepare(METHOD, sources, (), Bm25Options(), tmp_path / "blocks")
    one, other = whole["bm25_index"].files, blocks["bm25_index"].files
    assert one["vocabulary.json"] == other["vocabulary.json"]
    for name in ("row_id", "place", *COMPRESSED):
        np.testing.assert_array_equal(one[f"{name}.npy"], other[f"{name}.npy"])


def test_indexing_goes_on_after_a_kill_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("selection.methods.bm25.index._BLOCK_ROWS", 10)
    rows = rows_of(generated_texts(35)["law"])
    inputs = PrepareInputs(Bm25Options(), lambda: iter([rows]), 35, tmp_path)
    read: list[int] = []

    def words_of(rows: Rows, options: Bm25Options, dies_at: int | None = None) -> Any:
        if len(read) == dies_at:
            raise KeyboardInterrupt
        read.append(len(rows.text))
        return _words_of(rows, options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("selection.methods.bm25.index._words_of", lambda r, o: words_of(r, o, 2))
        Bm25Index().prepare(inputs)
    monkeypatch.setattr("selection.methods.bm25.index._words_of", words_of)
    index = Bm25Index().prepare(inputs)
    assert read == [10, 10, 10, 5]
    assert index.facts["documents"] == len(set(rows.row_id))


def test_a_row_that_is_not_in_the_index_is_named_with_the_remedy(tmp_path):
    pool, target = rows_of(["court", "gene"]), rows_of(["gene"])
    rows, prepared = prepare(METHOD, [pool], (), Bm25Options(), tmp_path)
    given = Bm25Options()
    fitted = METHOD.fit(FitInputs(target, lambda: iter(rows), 2, given, 0, prepared=prepared))
    strange = replace(pool, row_id=np.array([pool.row_id[0], "f" * 32]))
    with pytest.raises(ValueError, match=r"1 of 2 rows are not in 'bm25_index', among them f{32}"):
        METHOD.score(
            fitted, ScoreInputs(strange, target=target, options=given, seeds=(), prepared=prepared)
        )


def test_what_is_missing_is_said(tmp_path):
    empty, one = rows_of([]), rows_of(["court"])
    with pytest.raises(ValueError, match="needs the preparation 'bm25_index'"):
        METHOD.fit(FitInputs(one, lambda: iter([one]), 1, Bm25Options(), 0))
    with pytest.raises(ValueError, match="pool has no rows"):
        run([empty], one, tmp_path)
    with pytest.raises(ValueError, match="target has no rows"):
        run([one], empty, tmp_path)


def test_it_costs_no_flops_and_its_index_is_shared():
    cost = METHOD.cost(CostInputs(1000, 10, 0.0, 0.0, 0, Bm25Options()))
    assert (cost.flops, cost.phases["bm25_index"]) == (0.0, 0.0)
    assert "bm25_index" in cost.shared
