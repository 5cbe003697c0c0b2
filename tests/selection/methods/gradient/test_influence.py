from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from selection.methods.gradient.influence import influence, subtask_means


def unit_examples(rng: np.random.Generator, m: int) -> np.ndarray:
    gradients = rng.normal(size=(m, 3, 8)).astype(np.float32)
    return gradients / np.linalg.norm(gradients, axis=2, keepdims=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 600), st.integers(1, 9))
def test_influence_is_the_weighted_mean_cosine_inside_each_subtask(seed, n, m):
    rng = np.random.default_rng(seed)
    rows, examples = rng.normal(size=(n, 3, 8)).astype(np.float16), unit_examples(rng, m)
    rates = rng.uniform(0.1, 2.0, size=3)
    subtasks = [f"task {i}" for i in rng.integers(0, 3, size=m)]
    names, means = subtask_means(examples, subtasks)
    found = influence(rows, means, rates)
    assert names == sorted(set(subtasks)) and found.shape == (n, len(names))
    for s, name in enumerate(names):
        of = [i for i, subtask in enumerate(subtasks) if subtask == name]
        expected = sum(
            rates[c] / rates.sum() * cosine_similarity(rows[:, c].astype(float), examples[of, c])
            for c in range(3)
        )
        np.testing.assert_allclose(found[:, s], np.mean(expected, axis=1), atol=1e-6)


def test_a_row_that_teaches_nothing_has_no_influence():
    rng = np.random.default_rng(0)
    _, means = subtask_means(unit_examples(rng, 4), ["a", "b", "a", "b"])
    assert (influence(np.zeros((2, 3, 8), np.float16), means, np.ones(3)) == 0).all()


def test_the_examples_themselves_have_the_highest_influence_on_their_own_subtask():
    rng = np.random.default_rng(1)
    examples = unit_examples(rng, 1)
    _, means = subtask_means(examples, ["only"])
    rivals = unit_examples(rng, 50)
    values = influence(np.concatenate([examples, rivals]), means, np.array([1.0, 2.0, 3.0]))[:, 0]
    np.testing.assert_allclose(values[0], 1.0, atol=1e-6)
    assert values[1:].max() < 1.0
