"""Rendering: what is trained on, what is measured, what gives way when it is too long."""

import inspect
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.models.examples import (
    Example,
    render_all,
    render_parts,
)
from selection.models.tokenizer import train_tokenizer

TEXT = inspect.getdoc(logging.Logger) or ""
TOKENIZER = train_tokenizer([TEXT, "Label: ünïcode 漢字"], vocab_size=300)
EOS = TOKENIZER.eos_token_id


def trained(example, max_length):
    parts = render_parts(example, TOKENIZER, max_length)
    kept = [i for i, kept in zip(parts.ids, parts.loss_mask, strict=True) if kept]
    return TOKENIZER.decode(kept)


def test_a_plain_example_is_trained_on_whole_with_its_end():
    assert trained(Example("r", TEXT), 10_000) == TEXT + "<|endoftext|>"


def test_a_labelled_example_is_trained_on_text_and_label():
    example = Example("r", "some text", label="yes")
    assert trained(example, 100) == "some text\n\nLabel: yes<|endoftext|>"
    plain = render_parts(example, TOKENIZER, 100, with_label=False)
    assert plain.ids == render_parts(Example("r", "some text"), TOKENIZER, 100).ids


def test_a_generation_example_is_trained_on_the_response_only():
    example = Example("r", "q\n\na b", prompt="q", response="a b")
    ids = render_parts(example, TOKENIZER, 100).ids
    assert TOKENIZER.decode(ids[1:]) == "q\n\na b<|endoftext|>"
    assert trained(example, 100) == "a b<|endoftext|>"


@given(max_length=st.integers(24, 200), kind=st.sampled_from(["plain", "label", "response"]))
def test_truncation_cuts_the_text_never_the_label_or_response(max_length, kind):
    example = {
        "plain": Example("r", TEXT),
        "label": Example("r", TEXT, label="yes"),
        "response": Example("r", TEXT, prompt=TEXT, response="short"),
    }[kind]
    parts = render_parts(example, TOKENIZER, max_length)
    full = render_parts(example, TOKENIZER, 10**6)
    ending = {"plain": "", "label": "\n\nLabel: yes", "response": "\n\nshort"}[kind]
    assert len(parts.ids) == min(max_length, len(full.ids))
    assert parts.n_truncated == len(full.ids) - len(parts.ids)
    assert str(TOKENIZER.decode(parts.ids)).endswith(ending + "<|endoftext|>")
    assert len(parts.ids) == len(parts.loss_mask)


@given(text=st.text(alphabet="ab ü漢", min_size=1, max_size=30), max_length=st.integers(3, 40))
def test_the_measured_text_is_what_the_measured_tokens_stand_for(text, max_length):
    parts = render_parts(Example("r", text), TOKENIZER, max_length)
    decoded = str(TOKENIZER.decode(parts.ids[slice(*parts.measured)]))
    # a cut inside a character's bytes decodes to U+FFFD; the whole character is then counted
    kept = decoded.rstrip("\ufffd")
    assert parts.measured_text.startswith(kept)
    assert len(parts.measured_text) - len(kept) <= 1


def test_a_label_that_does_not_fit_is_refused_by_row():
    with pytest.raises(ValueError, match=r"row r7.*max_length=12"):
        render_parts(Example("r7", "text", label="a very long label " * 4), TOKENIZER, 12)


def test_half_a_prompt_response_pair_is_refused():
    with pytest.raises(ValueError, match="row r"):
        Example("r", "text", prompt="only a prompt")
    with pytest.raises(ValueError, match="not both"):
        Example("r", "text", prompt="p", response="q", label="l")


def test_a_training_set_counts_its_truncated_examples():
    dataset, n_truncated = render_all([Example("a", "short"), Example("b", TEXT)], TOKENIZER, 30)
    assert n_truncated == 1
    assert [len(ids) <= 30 for ids, _ in dataset] == [True, True]
