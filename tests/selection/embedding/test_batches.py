"""Batches hold every text once, within the budget, with no more padding than they may."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selection.embedding.batches import Batching
from selection.embedding.tokens import Tokens, spans

LENGTHS = st.lists(st.integers(0, 256), max_size=200).map(lambda x: np.array(x, dtype=np.int64))
BATCHING = st.builds(
    Batching,
    budget=st.integers(1, 2000),
    multiple=st.sampled_from([1, 8, 16]),
    from_tokens=st.integers(0, 64),
    shortest_share=st.sampled_from([0.0, 0.5, 0.95]),
)


@given(LENGTHS, BATCHING)
def test_every_text_is_in_exactly_one_batch_within_the_budget(lengths, batching):
    batches = list(batching.plan(lengths))
    placed = np.concatenate([np.zeros(0, dtype=np.int64), *batches])
    assert sorted(placed.tolist()) == list(range(len(lengths)))
    assert all(len(batch) for batch in batches)
    for batch in batches:
        assert batching.padded(lengths[batch]).sum() <= batching.budget or len(batch) == 1


@given(LENGTHS, BATCHING)
def test_a_batch_is_closed_only_when_the_next_text_does_not_fit_or_is_too_short(lengths, batching):
    batches = list(batching.plan(lengths))
    for batch, following in pairwise(batches):
        taken = batching.padded(lengths[batch]).sum() + batching.padded(lengths[following[:1]])[0]
        least = batching.shortest_share * lengths[batch].max()
        assert taken > batching.budget or lengths[following[0]] < least
        assert lengths[batch].min() >= least
        assert lengths[batch].min() >= lengths[following].max()


@given(LENGTHS, BATCHING)
def test_padding_is_less_than_a_multiple_and_spares_short_texts(lengths, batching):
    padding = batching.padded(lengths) - lengths
    assert (padding >= 0).all()
    assert (padding < batching.multiple).all()
    assert not padding[lengths < batching.from_tokens].any()


@given(st.lists(st.lists(st.integers(0, 30_000), max_size=20), max_size=20), st.randoms())
def test_taking_texts_takes_their_tokens(ids, random):
    tokens = Tokens.of([str(i) for i in range(len(ids))], ids)
    order = list(range(len(ids)))
    random.shuffle(order)
    order = order[: len(order) // 2 + 1]
    taken = tokens.take(np.array(order, dtype=np.int64))
    assert taken.texts == [str(i) for i in order]
    assert taken.flat.tolist() == [token for i in order for token in ids[i]]
    assert taken.lengths.tolist() == [len(ids[i]) for i in order]


def test_spans_are_the_ranges_one_after_the_other():
    assert spans(np.array([5, 0, 9]), np.array([2, 3, 0])).tolist() == [5, 6, 0, 1, 2]
