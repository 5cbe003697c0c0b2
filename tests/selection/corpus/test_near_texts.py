"""Which texts are near-duplicates, by the definition and by the fast way?"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.corpus.near_texts import ALIKE, WORDS, near_groups

WORD = st.sampled_from(["the", "a", "model", "learns", "rows", "of", "data", "and", "text"])
TEXT = st.lists(WORD, min_size=1, max_size=12).map(" ".join)


def shingles(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))}


def by_definition(texts: list[str]) -> list[frozenset[int]]:
    """Groups by comparing each text with each, and joining what is linked."""
    groups = [{i} for i in range(len(texts))]
    for i, one in enumerate(texts):
        for j, other in enumerate(texts[:i]):
            a, b = shingles(one), shingles(other)
            if len(a & b) >= ALIKE * len(a | b) - 1e-12:
                joined = groups[i] | groups[j]
                for member in joined:
                    groups[member] = joined
    return [frozenset(group) for group in groups]


@settings(deadline=None)
@given(st.lists(TEXT, max_size=12))
def test_groups_are_those_of_comparing_each_text_with_each(texts):
    found = near_groups(texts)
    members = [frozenset(np.flatnonzero(found == group).tolist()) for group in found]
    assert members == by_definition(texts)


def test_case_and_punctuation_make_no_difference_and_a_script_without_spaces_has_shingles():
    texts = [
        "How many rows does the pool have in all?",
        "how many rows does the pool have, in all",
        "Which rows are worth what they cost to train on?",
        "池中有多少行数据值得训练。",
        "池中有多少行数据值得训练!",
        "我们每天都去公园散步和跑步。",
    ]
    assert near_groups(texts).tolist() == [0, 0, 1, 2, 2, 3]


def test_no_texts_have_no_groups():
    assert near_groups([]).shape == (0,)
