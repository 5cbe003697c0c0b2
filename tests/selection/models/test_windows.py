"""Every token of a text is in one window; what cannot be parted is in one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.models.examples import Example, render_parts
from selection.models.packing import IGNORED_LABEL
from selection.models.tokenizer import count_tokens, tokenize, train_tokenizer
from selection.models.windows import (
    read_lengths,
    share_of,
    training_widths,
    training_windows,
    window_examples,
    window_lengths,
    window_texts,
)

TOKENIZER = train_tokenizer(["some plain text of a few words, ünïcode 漢字"], vocab_size=300)
LEAD, END = TOKENIZER.bos_token_id, TOKENIZER.eos_token_id
TEXT = st.text(alphabet="ab ü漢", max_size=60)
LONG = "some plain text " * 20
KINDS = {
    "plain": Example("r", LONG),
    "label": Example("r", LONG, label="yes"),
    "response": Example("r", LONG, prompt=LONG, response="short"),
}


@given(st.lists(TEXT, max_size=6), st.integers(2, 30), st.booleans())
def test_windows_hold_every_token_once_each_predicted_from_those_before_it(texts, longest, end):
    rows = window_texts(texts, TOKENIZER, longest, with_end=end)
    for ids, row in zip(tokenize(TOKENIZER, texts), rows, strict=True):
        said = [*ids, END] if end else ids
        following = [token for window in row.windows for token in window.following.tolist()]
        assert following == said
        for window in row.windows:
            assert window.ids.tolist() == [LEAD, *window.following.tolist()[:-1]]
        assert all(len(window.ids) == longest for window in row.windows[:-1])
        assert row.n_read == row.n_measured == len(said)


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(1, 30))
def test_lengths_of_windows_are_known_from_those_of_rows(lengths, longest):
    found = window_lengths(np.array(lengths, dtype=np.int64), longest).tolist()
    expected = [min(longest, n - start) for n in lengths for start in range(0, n, longest)]
    assert found == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("longest", [16, 24, 1000])
def test_examples_are_read_as_long_as_foreseen(kind, longest):
    [row] = window_examples([KINDS[kind]], TOKENIZER, longest)
    [length] = read_lengths([KINDS[kind]], TOKENIZER, longest)
    widths = [len(window.ids) for window in row.windows]
    assert widths == window_lengths(np.array([length]), longest).tolist()
    dataset, share = training_windows([KINDS[kind]], TOKENIZER, longest)
    trained = [len(ids) for ids, _ in dataset]
    assert trained == training_widths(np.array([length]), longest).tolist()
    assert max(trained) <= longest
    whole = kind == "plain" or longest == 1000
    assert (share == 1.0) == whole == (row.n_left_out == 0)
    assert share == share_of(row.n_read, row.n_left_out)


def test_a_text_is_read_and_trained_on_whole_with_its_end():
    [row] = window_examples([KINDS["plain"]], TOKENIZER, 16)
    assert row.n_measured == count_tokens(TOKENIZER, [LONG])[0]
    assert row.windows[-1].following[-1] == END
    dataset, _ = training_windows([KINDS["plain"]], TOKENIZER, 16)
    learnt = [i for ids, mask in dataset for i, kept in zip(ids, mask, strict=True) if kept]
    assert learnt == [*tokenize(TOKENIZER, [LONG])[0], END]
    assert {ids[0] for ids, _ in dataset} == {LEAD} and {mask[0] for _, mask in dataset} == {0}


@pytest.mark.parametrize("kind", ["label", "response"])
def test_an_answer_is_read_beside_its_question_as_training_renders_it(kind):
    [row] = window_examples([KINDS[kind]], TOKENIZER, 24)
    rendered = render_parts(KINDS[kind], TOKENIZER, 24)
    [window] = row.windows
    assert window.ids.tolist() == rendered.ids[:-1]
    trained = np.array(rendered.loss_mask[1:], dtype=bool)
    assert window.following[trained].tolist() == np.array(rendered.ids[1:])[trained].tolist()
    assert (window.following[~trained] == IGNORED_LABEL).all()
    [pair], _ = training_windows([KINDS[kind]], TOKENIZER, 24)
    assert pair == (rendered.ids, rendered.loss_mask)


def test_a_share_of_nothing_is_all_of_it():
    assert share_of(0, 0) == 1.0
    assert share_of(30, 10) == 0.75
