"""BM25 and DSIR in Chinese, and for a target of whose words the pool has next to none."""

from __future__ import annotations

import numpy as np
import pytest
from preparing import values_of
from ranking import rank

from selection.methods import REGISTRY
from selection.methods.bm25.index import Bm25Options
from selection.methods.dsir.method import DsirOptions

COOKING = ["把面粉和鸡蛋搅拌均匀", "锅里放油烧热再下葱花", "小火慢炖牛肉汤", "面粉里加水揉成面团"]
FINANCE = ["股票市场今天大幅下跌", "央行宣布降低贷款利率", "投资者买入政府债券", "公司股票增长"]
TARGET = ["炖牛肉要用小火", "面粉和鸡蛋做面团"]
OPTIONS = {"bm25": Bm25Options(), "dsir": DsirOptions(draw="top")}


def test_bm25_finds_the_rows_of_a_chinese_target_by_pairs_of_characters(tmp_path):
    scores, fitted = rank(REGISTRY["bm25"], OPTIONS["bm25"], COOKING + FINANCE, TARGET, tmp_path)
    first = np.argsort(-scores.score[0])[:3]
    assert sorted(first.tolist()) == [0, 2, 3]
    assert scores.score[0][first].min() > 0 == scores.score[0][4:].max()
    assert {one["term"] for one in values_of(scores.receipts["top_terms"])[0]} >= {"面粉", "鸡蛋"}
    assert 0 < fitted.facts["known_words"] < 1


def test_dsir_finds_the_rows_of_a_chinese_target_by_characters_and_pairs(tmp_path):
    scores, _ = rank(REGISTRY["dsir"], OPTIONS["dsir"], COOKING + FINANCE, TARGET, tmp_path)
    assert sorted(np.argsort(-scores.score[0])[:2].tolist()) == [0, 2]
    ngrams = values_of(scores.receipts["top_ngrams"])
    assert {"小 火", "和 鸡"} <= {one["ngram"] for of_row in ngrams for one in of_row}


@pytest.mark.parametrize("name", ["bm25", "dsir"])
@pytest.mark.parametrize(
    ("pool", "target"),
    [
        (["a court in 2024", "the 12 judges"], ["2024年 12 月份的判决"]),
        (["?", "!", "a"], ["court"]),
    ],
    ids=["of another script, though they share numbers", "of which it has no word"],
)
def test_a_target_is_refused_with_the_share(name, pool, target, tmp_path):
    """By DSIR too, whose buckets other n-grams fill."""
    options = OPTIONS[name] if name == "bm25" else DsirOptions(draw="top", buckets=4)
    said = rf"'{name}' .* has 0\.00% of the words .* add sources .* take the method out"
    with pytest.raises(ValueError, match=said):
        rank(REGISTRY[name], options, pool, target, tmp_path)


def test_a_target_of_numbers_alone_is_known_by_them(tmp_path):
    scores, _ = rank(
        REGISTRY["bm25"], OPTIONS["bm25"], ["in 2024", "the 12 judges"], ["2024", "77"], tmp_path
    )
    assert scores.score[0][0] > 0 == scores.score[0][1]


@pytest.mark.parametrize("name", ["bm25", "dsir"])
@pytest.mark.parametrize(("known", "refused"), [(0, True), (1, True), (2, False)])
def test_a_target_is_refused_below_one_word_in_a_hundred(name, known, refused, tmp_path):
    words = ["judge"] * known + [f"{'abcdefghij'[i % 10]}w{i}" for i in range(150 - known)]
    pool, target = ["judge", "gene"], [" ".join(words)]
    if refused:
        with pytest.raises(ValueError, match=rf"has {known / 150:.2%} of the words"):
            rank(REGISTRY[name], OPTIONS[name], pool, target, tmp_path)
    else:
        scores, _ = rank(REGISTRY[name], OPTIONS[name], pool, target, tmp_path)
        assert scores.score[0][0] > scores.score[0][1]
    assert bool(REGISTRY[name].refusal(target, pool, OPTIONS[name])) is refused


@pytest.mark.parametrize("name", ["bm25", "dsir"])
def test_no_more_of_the_pool_is_read_than_it_takes_to_know(name):
    pool = iter(["gene", "the judge", "a court", "and more"])
    assert REGISTRY[name].refusal(["the court and the judge"], pool, OPTIONS[name]) == ""
    assert list(pool) == ["a court", "and more"]


def test_stop_words_are_no_words_that_bm25_could_rank_by():
    """DSIR knows them; so does BM25 where a study keeps them."""
    pool, target = ["it is on the shelf"], ["that it is"]
    assert "0.00%" in REGISTRY["bm25"].refusal(target, pool, OPTIONS["bm25"])
    assert REGISTRY["bm25"].refusal(target, pool, Bm25Options(stopwords="none")) == ""
    assert REGISTRY["dsir"].refusal(target, pool, OPTIONS["dsir"]) == ""


@pytest.mark.parametrize("name", sorted(REGISTRY.keys() - OPTIONS.keys()))
def test_no_other_method_refuses(name):
    method = REGISTRY[name]
    assert method.refusal(TARGET, ["court"], method.options()) == ""
