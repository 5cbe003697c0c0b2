"""The target's description against direct computations of each figure."""

import json
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist

from selection.arms.target_stats import describe_target, word_counts, words_found

RNG = np.random.default_rng(21)
TARGET = RNG.normal(size=(40, 8)) + 3 * np.eye(8)[0]
TEXTS = ["The cat sat.", "the DOG_1 ran"] * 20
WORDS = np.arange(1, 41)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def described(target=TARGET, texts=TEXTS, n_words: np.ndarray = WORDS, **changes: Any):
    options: dict[str, Any] = {
        "sources": {"near": TARGET + 0.1, "far": RNG.normal(size=(60, 8)) - 3 * np.eye(8)[0]},
        "pool_vocabulary": {"the", "cat", "ran"},
        "seed": 0,
    }
    return describe_target(target, texts, n_words, **{**options, **changes})


def test_the_spectrum_is_that_of_the_covariance_of_the_unit_rows():
    stats = described()
    expected = np.linalg.eigvalsh(np.cov(unit(TARGET).T, bias=True))[::-1]
    np.testing.assert_allclose(stats.eigenvalues, expected, atol=1e-12)
    np.testing.assert_allclose(stats.centroid, unit(TARGET).mean(axis=0))


def test_the_self_distance_is_the_mean_over_pairs_of_distinct_rows():
    assert described().self_distance == pytest.approx(pdist(unit(TARGET), "sqeuclidean").mean())


def test_a_round_target_has_the_rank_of_its_width_and_a_line_has_rank_one():
    round_target = np.concatenate([np.eye(6), -np.eye(6)])
    stats = described(round_target, ["a"] * 12, np.ones(12), sources={"s": round_target})
    assert stats.effective_rank == pytest.approx(6.0)
    assert stats.centroid == pytest.approx(np.zeros(6))
    line = np.array([[1.0, 0.0], [-1.0, 0.0]])
    stats = described(line, ["a"] * 2, np.ones(2), sources={"s": line})
    assert stats.effective_rank == pytest.approx(1.0)


def test_the_distance_is_the_cost_of_the_best_assignment_when_the_sides_are_equal():
    source = RNG.normal(size=TARGET.shape)
    stats = described(sources={"s": source})
    cost = cdist(unit(source), unit(TARGET), "sqeuclidean")
    assert stats.distances["s"] == pytest.approx(cost[linear_sum_assignment(cost)].mean())
    assert stats.rows_compared == {"s": (40, 40)}


def test_the_nearest_source_is_named_and_a_source_equal_to_the_target_is_at_zero():
    stats = described()
    assert stats.nearest_source == "near"
    assert stats.distances["near"] < stats.distances["far"]
    assert described(sources={"same": TARGET[::-1]}).distances["same"] == pytest.approx(0, abs=1e-9)


def test_large_sources_are_sampled_whatever_the_other_sources_are():
    large = RNG.normal(size=(700, 8))
    alone, among = described(sources={"l": large}), described(sources={"a": TARGET, "l": large})
    assert alone.rows_compared["l"] == (500, 40)
    assert alone.distances["l"] == among.distances["l"]
    assert alone.distances["l"] != described(sources={"l": large}, seed=1).distances["l"]


def test_the_vocabulary_overlap_counts_types_and_tokens():
    stats = described()
    assert stats.type_overlap == pytest.approx(3 / 5)  # the cat sat dog_1 ran
    assert stats.token_overlap == pytest.approx(4 / 6)  # "the" runs twice


def test_words_are_lower_cased_and_counted():
    assert word_counts(["The cat", "the Été!"]) == {"the": 2, "cat": 1, "été": 1}


def test_a_target_of_one_row_is_described():
    stats = described(TARGET[:1], TEXTS[:1], WORDS[:1])
    assert (stats.n, stats.self_distance, stats.effective_rank) == (1, 0.0, 0.0)
    assert stats.word_quantiles["min"] == stats.word_quantiles["max"] == 1.0


def test_float16_embeddings_are_accepted():
    assert described(TARGET.astype(np.float16)).self_distance == pytest.approx(
        described().self_distance, rel=1e-2
    )


def test_the_dictionary_is_json_and_keeps_every_figure():
    stats = described()
    read = json.loads(json.dumps(stats.to_dict(), allow_nan=False))
    assert read.keys() == vars(stats).keys()
    assert read["n_words"] == 820
    assert read["rows_compared"] == {"near": [40, 40], "far": [60, 40]}
    assert len(read["centroid"]) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": {}}, "sources is empty"),
        ({"sources": {"s": np.ones((3, 5))}}, r"sources\['s'\] has width 5"),
        ({"sources": {"s": np.zeros((3, 8))}}, r"sources\['s'\] row 0 has zero length"),
        ({"target": TARGET * np.nan}, "target_embeddings row 0 holds NaN"),
        ({"texts": TEXTS[:3]}, "40 embeddings, 3 texts"),
        ({"texts": ["?!"] * 40}, "no text of the target holds a word"),
    ],
)
def test_unusable_input_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        described(**changes)


def test_words_are_looked_for_until_all_are_found():
    read = []

    def texts():
        for text in ["The cat", "sat", "on the Été", "mat"]:
            read.append(text)
            yield text

    assert words_found(["cat", "été", "dog"], texts()) == {"cat", "été"}
    read.clear()
    assert words_found(["cat", "sat"], texts()) == {"cat", "sat"}
    assert read == ["The cat", "sat", "on the Été"]
