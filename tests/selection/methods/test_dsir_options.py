"""DSIR's smoothing as in the paper's code, and its weight by a row's length."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import xxhash
from ranking import rank
from real_texts import generated_texts

from selection.methods import REGISTRY
from selection.methods.dsir.method import DsirOptions

METHOD = REGISTRY["dsir"]


def direct_ngrams(text: str) -> list[str]:
    words = re.findall(r"\w+|[^\w\s]+", text.lower())
    return words + [" ".join(pair) for pair in pairwise(words)]


def direct_bucket(ngram: str, buckets: int) -> int:
    return xxhash.xxh3_64(ngram.encode("utf-8")).intdigest() % buckets


@pytest.mark.parametrize("normalise", ["none", "length"])
def test_the_paper_s_smoothing_and_a_weight_by_length_are_those_of_a_direct_count(
    normalise, tmp_path
):
    target = generated_texts(9, 1)["law"]
    pool = [text for texts in generated_texts(40).values() for text in texts]
    options = DsirOptions(smoothing="paper", normalise=normalise, draw="top", buckets=300)
    found, _ = rank(METHOD, options, pool, target, tmp_path)

    def shares(texts: list[str]) -> list[float]:
        counts = Counter(direct_bucket(n, 300) for text in texts for n in direct_ngrams(text))
        return [counts[one] / counts.total() + 1e-8 for one in range(300)]

    both = zip(shares(target), shares(pool), strict=True)
    ratios = [math.log(p) - math.log(q) for p, q in both]
    mean_length = sum(len(direct_ngrams(text)) for text in pool) / len(pool)
    for text, weight in zip(pool, found.score[0], strict=True):
        of_text = [ratios[direct_bucket(n, 300)] for n in direct_ngrams(text)]
        scale = mean_length / len(of_text) if normalise == "length" else 1.0
        assert weight == pytest.approx(sum(of_text) * scale, rel=1e-9, abs=1e-9)
    np.testing.assert_array_equal(found.receipts["log_weight"], found.score[0])


@pytest.mark.parametrize("draw", ["top", "gumbel"])
def test_by_length_rows_of_the_target_s_topic_come_before_short_ones(draw, tmp_path):
    """Every n-gram that a narrow target lacks takes weight away, and short rows have few."""
    rng = np.random.default_rng(0)
    common = [f"common{i}" for i in range(300)]

    def texts(topic: str, n: int, length: int) -> list[str]:
        own = [f"{topic}{i}" for i in range(20)]
        of_topic = [rng.random(length) < 0.5 for _ in range(n)]
        drawn = (
            np.where(one, rng.choice(own, length), rng.choice(common, length)) for one in of_topic
        )
        return [" ".join(words) for words in drawn]

    pool = texts("law", 40, 60)
    pool += [text for topic in ("news", "sport", "food") for text in texts(topic, 40, 60)]
    pool += texts("chat", 160, 6)
    target = texts("law", 20, 60)
    found = {}
    for normalise in ("none", "length"):
        options = DsirOptions(draw=draw, normalise=normalise)
        scores, _ = rank(METHOD, options, pool, target, tmp_path)
        found[normalise] = float(np.mean(np.argsort(-scores.score[0])[:30] < 40))
    assert found["none"] < 0.1 and found["length"] > 0.9, found
