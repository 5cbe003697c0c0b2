"""Is a budget spent whatever the rows' lengths, by a rule that a plain loop can check?"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.draws import keyed_uniform
from selection.neighbours.duplicates import NearDuplicates
from selection.subset import fill
from selection.subset.choose import choose_rows


def plain_greedy(costs, *, token_budget, row_budget, vectors, cosine):
    """One row after another, as the rule says it: fates, and what each duplicate repeats."""
    fates, repeats, taken, spent = ["below_cutoff"] * len(costs), {}, [], 0
    for place, cost in enumerate(costs):
        if len(taken) == row_budget:
            break
        if spent + cost > token_budget:
            if spent >= token_budget * 99 / 100:
                break
            fates[place] = "does_not_fit"
            continue
        if cosine is not None and taken:
            nearness = vectors[taken] @ vectors[place]
            if nearness.max() >= cosine:
                fates[place] = "near_duplicate"
                repeats[place] = taken[int(np.argmax(nearness))]
                continue
        fates[place] = "selected"
        taken.append(place)
        spent += cost
    return fates, repeats, taken, spent


ROWS = st.lists(
    st.tuples(st.sampled_from([1, 1, 2, 3, 5, 8, 40, 300]), st.integers(0, 25)), max_size=80
)


@settings(max_examples=300, deadline=None)
@given(
    rows=ROWS,
    token_budget=st.integers(0, 500),
    row_budget=st.none() | st.integers(1, 30),
    cosine=st.sampled_from([None, 0.99]),
    chunk=st.sampled_from([1, 3, 1024]),
)
def test_the_choice_is_that_of_a_plain_loop(rows, token_budget, row_budget, cosine, chunk):
    costs = np.array([cost for cost, _ in rows], dtype=np.int64)
    # Directions 0.18 radians apart: cosines are 1 or at most 0.984.
    angles = np.array([angle for _, angle in rows]) * 0.18
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(-1, 2)
    # Candidates come in another order than their ranks.
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    tokens, given_vectors = np.empty_like(costs), np.empty_like(vectors)
    tokens[order], given_vectors[order] = costs, vectors
    before, fill._CHUNK_ROWS = fill._CHUNK_ROWS, chunk
    try:
        filled = fill.fill_budget(
            order,
            tokens,
            token_budget=token_budget,
            row_budget=row_budget,
            embeddings=given_vectors,
            near=None if cosine is None else NearDuplicates(2, cosine),
        )
    finally:
        fill._CHUNK_ROWS = before
    fates, repeats, taken, spent = plain_greedy(
        costs, token_budget=token_budget, row_budget=row_budget, vectors=vectors, cosine=cosine
    )
    assert filled.selected.tolist() == order[taken].tolist()
    assert filled.tokens == spent <= token_budget
    places = {
        fate: [int(order[p]) for p in range(len(costs)) if fates[p] == fate] for fate in set(fates)
    }
    assert filled.passed_over.tolist() == places.get("does_not_fit", [])
    assert filled.repeats.tolist() == places.get("near_duplicate", [])
    named = zip(filled.repeats.tolist(), filled.repeated.tolist(), strict=True)
    assert dict(named) == {int(order[p]): int(order[twin]) for p, twin in repeats.items()}


SHORT, LONG, BUDGET = 1_755, 12, 14_272


@pytest.mark.parametrize("method", ["bm25", *range(8)])
def test_a_few_long_rows_do_not_keep_an_arm_from_its_budget(method):
    """BM25 ranks the long rows first, as it does; random draws them anywhere."""
    rng = np.random.default_rng(5)
    tokens = np.concatenate([rng.integers(20, 150, SHORT), rng.integers(9_000, 40_000, LONG)])
    ids = np.array([f"{i:064x}" for i in range(SHORT + LONG)])
    if method == "bm25":
        score = np.where(np.arange(len(ids)) == 3, 1e9, tokens).astype(float)
    else:
        score = keyed_uniform(ids, seed=method, purpose="random")
    chosen = choose_rows(
        row_id=ids,
        score=score,
        n_tokens=tokens,
        token_budget=BUDGET,
        near_duplicate_cosine=None,
    )
    assert 0.99 * BUDGET <= chosen.tokens <= BUDGET
    counts = Counter(chosen.fate.tolist())
    assert sum(counts.values()) == SHORT + LONG
    assert counts.keys() <= {"selected", "does_not_fit", "below_cutoff"}
    below = chosen.fate == "below_cutoff"
    assert (chosen.margin[chosen.selected] >= 0).all() and (chosen.margin[below] <= 0).all()


def test_passing_over_most_of_a_large_pool_takes_few_steps():
    """Every row but each thousandth is longer than what is left after the first."""
    n = 200_000
    tokens = np.where(np.arange(n) % 1_000 == 1, 3, 5_000)
    tokens[0] = 9_000
    steps = []

    class Counted(NearDuplicates):
        def judge(self, rows):
            steps.append(len(rows))
            return super().judge(rows)

    vectors = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    filled = fill.fill_budget(
        np.arange(n),
        tokens,
        token_budget=10_000,
        embeddings=vectors,
        near=Counted(4, 1.0),
    )
    assert filled.tokens == 9_000 + 3 * 200
    assert len(filled.passed_over) == n - 1 - 200
    assert sum(steps) == 201  # nothing is compared but what fits
