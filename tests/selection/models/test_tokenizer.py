"""The tokenizer loses nothing, is deterministic and counts what packing keeps."""

import email
import inspect
import json
import logging
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.models.packing import pack
from selection.models.tokenizer import END_OF_TEXT, PAD, count_tokens, tokenize, train_tokenizer

DOCSTRINGS = [
    inspect.getdoc(value) or ""
    for module in (email, json, logging, textwrap)
    for value in vars(module).values()
    if inspect.getdoc(value)
]
TOKENIZER = train_tokenizer(DOCSTRINGS, vocab_size=400)


def test_training_does_not_depend_on_the_order_of_the_texts():
    again = train_tokenizer(reversed(DOCSTRINGS), vocab_size=400)
    assert again.backend_tokenizer.to_str() == TOKENIZER.backend_tokenizer.to_str()


def test_the_special_tokens_come_first():
    assert TOKENIZER.convert_tokens_to_ids([END_OF_TEXT, PAD]) == [0, 1]
    assert TOKENIZER.eos_token_id == 0
    assert TOKENIZER.pad_token_id == 1
    assert len(TOKENIZER) == 400


def test_a_vocabulary_without_room_for_the_bytes_is_refused():
    with pytest.raises(ValueError, match="258"):
        train_tokenizer(DOCSTRINGS, vocab_size=257)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_round_trips(text):
    (ids,) = tokenize(TOKENIZER, [text])
    assert TOKENIZER.decode(ids, clean_up_tokenization_spaces=False) == text


def test_a_row_that_spells_the_end_of_text_does_not_end_itself():
    (ids,) = tokenize(TOKENIZER, [f"a {END_OF_TEXT} b"])
    assert TOKENIZER.eos_token_id not in ids


def test_counts_are_the_tokens_that_packing_keeps():
    counts = count_tokens(TOKENIZER, DOCSTRINGS, batch=3)
    blocks = pack(tokenize(TOKENIZER, DOCSTRINGS), block_size=32, eos_id=0, pad_id=1)
    assert counts.dtype == np.int64
    assert counts.sum() == blocks.n_tokens


def test_no_text_counts_nothing():
    assert count_tokens(TOKENIZER, []).shape == (0,)
