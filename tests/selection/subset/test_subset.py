from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.subset.choose import Subset, choose_rows

IDS = ["a", "b", "c", "d", "e"]


def choose(score, n_tokens, budget, ids=None, **options):
    options.setdefault("near_duplicate_cosine", None)
    return choose_rows(
        row_id=IDS[: len(score)] if ids is None else ids,
        score=score,
        n_tokens=n_tokens,
        token_budget=budget,
        **options,
    )


def test_best_rows_are_taken_and_one_that_does_not_fit_is_passed_over():
    subset = choose([0.1, 0.9, 0.5, 0.7, 0.3], [1, 4, 6, 3, 1], 8)
    # b (4) and d (3) fit; c (6) does not, and e (1) after it does, with which all is spent.
    assert subset.fate.tolist() == [
        "below_cutoff", "selected", "does_not_fit", "selected", "selected",
    ]  # fmt: skip
    assert subset.selected.tolist() == [1, 3, 4]
    assert subset.rank.tolist() == [4, 0, 2, 1, 3]
    assert subset.tokens == 8
    np.testing.assert_allclose(subset.margin, [-0.2, 0.6, 0.2, 0.4, 0.0])


@pytest.mark.parametrize(("first", "second"), [(98, "selected"), (99, "below_cutoff")])
def test_from_99_percent_on_the_first_row_that_does_not_fit_ends_the_selection(first, second):
    subset = choose([3.0, 2.0, 1.0], [first, 3, 1], 100)
    passed = "does_not_fit" if second == "selected" else "below_cutoff"
    assert subset.fate.tolist() == ["selected", passed, second]


def test_rows_that_fit_are_taken_to_the_last_token():
    assert choose([4.0, 3.0, 2.0, 1.0], [97, 2, 1, 1], 100).tokens == 100


def test_ties_are_broken_by_row_id():
    subset = choose([1.0, 1.0, 1.0], [1, 1, 1], 2, ids=["z", "m", "a"])
    assert subset.selected.tolist() == [2, 1]


def test_a_pool_smaller_than_the_budget_is_taken_whole():
    subset = choose([0.1, 0.2], [3, 4], 1000)
    assert subset.fate.tolist() == ["selected", "selected"]
    assert subset.tokens == 7


def test_a_budget_below_every_row_selects_nothing_and_says_so():
    subset = choose([0.1, 0.2], [3, 4], 2)
    assert subset.selected.tolist() == [] and subset.tokens == 0
    assert np.isnan(subset.margin).all()
    assert set(subset.fate) == {"does_not_fit"}
    assert set(choose([0.1, 0.2], [3, 4], 0).fate) == {"below_cutoff"}  # nothing was to be spent


def test_no_candidates_give_an_empty_subset():
    subset = choose([], [], 10, embeddings=np.empty((0, 4)), near_duplicate_cosine=0.9)
    assert len(subset.fate) == len(subset.selected) == 0 and subset.tokens == 0


def test_excluded_rows_are_passed_over_with_their_reason():
    subset = choose([3.0, 2.0, 1.0], [1, 1, 1], 2, reason=["target_leak", "", ""])
    assert subset.fate.tolist() == ["target_leak", "selected", "selected"]


def test_a_row_of_two_sources_is_taken_once():
    subset = choose([1.0, 2.0, 1.0, 0.5], [1, 1, 1, 1], 9, ids=["a", "b", "a", "c"])
    copy, kept = (0, 2) if subset.fate[0] == "exact_duplicate" else (2, 0)
    assert subset.fate[[copy, kept]].tolist() == ["exact_duplicate", "selected"]
    assert subset.duplicate_of[[copy, kept]].tolist() == [kept, -1]
    assert subset.tokens == 3


def test_copies_of_an_excluded_row_are_all_excluded():
    reason = ["removed", "", "removed"]
    subset = choose([1.0, 2.0, 1.0], [1, 1, 1], 9, ids=["a", "b", "a"], reason=reason)
    assert subset.fate.tolist() == ["removed", "selected", "removed"]
    assert subset.duplicate_of.tolist() == [-1, -1, -1]


def test_near_duplicates_of_a_selected_row_are_passed_over_and_name_it():
    embeddings = np.array([[1, 0], [1, 0.05], [0, 1], [0.05, 1]], dtype=np.float16)
    subset = choose(
        [4.0, 3.0, 2.0, 1.0], [2, 2, 2, 2], 4, embeddings=embeddings, near_duplicate_cosine=0.97
    )
    # b repeats a, and its tokens are c's; d would repeat c, and fell below the cut-off.
    assert subset.fate.tolist() == ["selected", "near_duplicate", "selected", "below_cutoff"]
    assert subset.duplicate_of.tolist() == [-1, 0, -1, -1]


def test_a_row_that_did_not_fit_is_none_that_another_could_repeat():
    embeddings = np.array([[1, 0], [0, 1], [0.05, 1]], dtype=np.float16)
    subset = choose(
        [3.0, 2.0, 1.0], [2, 9, 2], 4, embeddings=embeddings, near_duplicate_cosine=0.97
    )
    assert subset.fate.tolist() == ["selected", "does_not_fit", "selected"]


def test_a_row_near_only_an_excluded_row_is_kept():
    embeddings = np.array([[1, 0], [1, 0.01]])
    subset = choose(
        [2.0, 1.0], [1, 1], 9,
        embeddings=embeddings, near_duplicate_cosine=0.9, reason=["target_leak", ""],
    )  # fmt: skip
    assert subset.fate.tolist() == ["target_leak", "selected"]


def told(keys: np.ndarray, subset: Subset) -> list[tuple]:
    """Each candidate's key, fate and the key of what it repeats."""
    repeated = np.where(subset.duplicate_of < 0, -1, keys[subset.duplicate_of])
    return sorted(zip(keys.tolist(), subset.fate.tolist(), repeated.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=60
    ),
    budget=st.integers(0, 150),
    seed=st.integers(0, 1000),
)
def test_the_choice_does_not_depend_on_the_order_of_the_candidates(rows, budget, seed):
    # The text behind an id fixes its score, tokens and embedding, whatever its source.
    facts = {key: (score, tokens) for key, score, tokens in rows}
    keys = np.array([key for key, _, _ in rows])
    directions = np.random.default_rng(seed).normal(size=(41, 2))

    def run(keys):
        return choose_rows(
            row_id=[f"{key:032x}" for key in keys],
            score=[facts[key][0] for key in keys],
            n_tokens=[facts[key][1] for key in keys],
            token_budget=budget,
            embeddings=directions[keys],
            near_duplicate_cosine=0.9,
            reason=["target_leak" if key == 7 else "" for key in keys],
        )

    first = run(keys.tolist())
    permutation = np.random.default_rng(seed).permutation(len(keys))
    second = run(keys[permutation].tolist())
    assert keys[first.selected].tolist() == keys[permutation][second.selected].tolist()
    assert told(keys, first) == told(keys[permutation], second)
    assert first.tokens == second.tokens <= budget
    assert first.tokens == sum(facts[key][1] for key in keys[first.selected].tolist())
    assert (first.margin[first.selected] >= 0).all()
    assert len(set(keys[first.selected].tolist())) == len(first.selected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [1.0, np.nan]}, "row b has score nan"),
        ({"n_tokens": [1, 0]}, "row b has 0 tokens"),
        ({"n_tokens": [1.0, 2.0]}, "must be integers"),
        ({"n_tokens": [1]}, "shape"),
        ({"token_budget": -1}, "token_budget is -1"),
        ({"near_duplicate_cosine": 0.9}, "none were given"),
        ({"embeddings": np.ones((3, 2))}, "3 rows for 2 candidates"),
        ({"reason": ["selected", ""]}, "is a fate"),
    ],
)
def test_unusable_arguments_are_refused(change, message):
    arguments: dict[str, Any] = {
        "row_id": ["a", "b"],
        "score": [1.0, 2.0],
        "n_tokens": [1, 1],
        "token_budget": 5,
        "near_duplicate_cosine": None,
    } | change
    with pytest.raises(ValueError, match=message):
        choose_rows(**arguments)


def test_embeddings_with_a_bad_row_are_refused():
    embeddings = np.ones((2, 3))
    embeddings[1] = 0
    with pytest.raises(ValueError, match="zero length"):
        choose([1.0, 2.0], [1, 1], 5, embeddings=embeddings, near_duplicate_cosine=0.9)


def test_a_candidate_with_a_reason_is_passed_over_and_its_copy_is_not():
    ids, reason = ["a", "b", "a", "c"], ["far_source", "far_source", "", ""]
    subset = choose([3.0, 2.0, 3.0, 1.0], [1, 1, 1, 1], 9, ids=ids, reason=reason)
    assert subset.fate.tolist() == ["far_source", "far_source", "selected", "selected"]
    assert subset.duplicate_of.tolist() == [-1] * 4
    assert subset.tokens == 2


def test_numbers_in_the_order_of_ids_choose_as_the_ids_do():
    ids, score, tokens = ["z", "m", "z", "a"], [1.0, 1.0, 1.0, 1.0], [1, 2, 1, 2]
    by_id = choose(score, tokens, 3, ids=ids)
    by_number = choose(score, tokens, 3, ids=[2, 1, 2, 0])
    for name in ("rank", "fate", "duplicate_of", "selected"):
        assert getattr(by_id, name).tolist() == getattr(by_number, name).tolist(), name


def test_a_reason_that_is_a_verdict_is_refused():
    with pytest.raises(ValueError, match="'selected' of an exclusion is a fate"):
        choose([1.0], [1], 9, reason=["selected"])
