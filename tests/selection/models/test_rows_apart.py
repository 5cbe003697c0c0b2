"""Rows do not see each other: a conversation never does, a text where packing is isolated."""

import numpy as np
import pytest
import torch
from chats import docstrings
from hypothesis import given
from hypothesis import strategies as st

from selection.models.base import new_model, tiny_config
from selection.models.batches import tokens_of, training_batches
from selection.models.packing import IGNORED_LABEL, fill_rows, pack, padded_widths
from selection.models.recipe import Recipe
from selection.models.tokenizer import tokenize, train_tokenizer
from selection.models.training import train

TEXTS = docstrings("asyncio")[:24]
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
TOKENS = tokenize(TOKENIZER, TEXTS)
LONGEST = 64
CHATS = [
    ([2 + place] * length, [0] * 3 + [1] * (length - 3)) for place, length in enumerate((9, 21))
]


def small_model(architecture="llama"):
    config = tiny_config(
        architecture,
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=400,
        sequence_length=LONGEST,
    )
    return new_model(config, seed=0)


def nll_of(model, ids):
    """Of each token but the first, the row being alone."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum").item()


def first_loss(dataset, folder):
    """Train one epoch in steps of many rows: what came of it, and the first step's loss."""
    recipe = Recipe(batch_size=100)
    trained = train(small_model(), dataset, recipe, work_dir=folder, pad_id=1, device="cpu")
    return trained, trained.losses[0][1]


def packed(tokens, **options):
    return pack(tokens, block_size=LONGEST, eos_id=0, pad_id=1, **options)


def test_isolated_rows_have_the_loss_that_they_have_alone(tmp_path):
    blocks = packed(TOKENS, apart=True)
    pieces = []
    for ids, places in zip(blocks.ids, blocks.places, strict=True):
        cuts = np.flatnonzero(places == 0)[1:]
        pieces += [piece.tolist() for piece in np.split(ids, cuts)]
    left = blocks.n_tokens % LONGEST
    pieces[-1] = pieces[-1][: len(pieces[-1]) - (LONGEST - left)] if left else pieces[-1]
    assert sum(map(len, pieces)) == blocks.n_tokens
    model, pieces = small_model().eval(), [piece for piece in pieces if len(piece) > 1]
    alone = sum(nll_of(model, piece) for piece in pieces) / sum(len(p) - 1 for p in pieces)
    trained, loss = first_loss(blocks, tmp_path / "apart")
    assert loss == pytest.approx(alone, abs=1e-5)
    assert trained.tokens_trained == sum(len(piece) - 1 for piece in pieces)
    joined, of_joined = first_loss(packed(TOKENS), tmp_path / "joined")
    assert abs(of_joined - alone) > 1e-5
    assert (joined.tokens, joined.tokens_processed) == (trained.tokens, trained.tokens_processed)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_a_row_in_a_block_is_read_as_if_it_were_alone(architecture):
    model, blocks = small_model(architecture).eval(), packed(TOKENS, apart=True)
    assert blocks.places is not None
    number = int(np.argmax((blocks.places == 0).sum(axis=1)))
    ids, places = (torch.tensor(each[number : number + 1]) for each in (blocks.ids, blocks.places))
    first, second = np.flatnonzero(blocks.places[number] == 0)[[1, 2]]
    with torch.no_grad():
        within = model(input_ids=ids, position_ids=places, use_cache=False).logits[0, first:second]
        alone = model(input_ids=ids[:, first:second]).logits[0]
    torch.testing.assert_close(within, alone, atol=1e-5, rtol=0)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=30), st.integers(64, 4_096))
def test_a_width_depends_on_its_row_only_and_is_at_most_a_quarter_more(lengths, longest):
    lengths = np.minimum(lengths, longest)
    widths = padded_widths(lengths, longest)
    assert (widths >= lengths).all() and (widths <= longest).all()
    assert (widths <= 1.25 * lengths).all()
    assert widths.tolist() == [int(padded_widths(one, longest)) for one in lengths]
    octave = (lengths > longest // 4) & (lengths <= longest // 2)
    assert len(set(widths[octave].tolist())) <= 6


@given(
    st.lists(st.sampled_from([16, 20, 64]), min_size=1, max_size=40),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_batches_of_one_width_take_each_row_once_an_epoch_and_cost_their_widths(
    widths, batch_size, epochs
):
    recipe = Recipe(batch_size=batch_size, epochs=epochs, seed=3)
    batches = training_batches(widths, recipe, by_width=True)
    assert all(len({widths[i] for i in batch}) == 1 for batch in batches)
    assert max(map(len, batches)) <= batch_size
    taken = np.concatenate(batches)
    assert sorted(taken) == sorted(list(range(len(widths))) * epochs)
    assert sorted(taken[: len(widths)]) == list(range(len(widths)))
    assert tokens_of(batches, widths).sum() == sum(widths) * epochs


@pytest.mark.parametrize("apart", [False, True])
def test_texts_and_conversations_cost_their_own_tokens_and_learn_from_their_own(tmp_path, apart):
    blocks = packed(TOKENS, apart=apart)
    rows = fill_rows(blocks, CHATS, longest=LONGEST, pad_id=1)
    trained, loss = first_loss(rows, tmp_path / "mixed")
    assert trained.tokens_processed == blocks.n_tokens + 10 + 24  # of 9 and 21 tokens
    assert trained.tokens == blocks.n_tokens + 9 + 21
    of_blocks = (blocks.labels[:, 1:] != IGNORED_LABEL).sum()
    assert trained.tokens_trained == of_blocks + 6 + 18
    assert trained.steps == 4  # full blocks, the last one, and a width for each conversation
    again, _ = first_loss(rows, tmp_path / "again")
    assert again.losses == trained.losses and np.isfinite(loss)


def test_a_conversation_is_learnt_as_if_it_were_alone(tmp_path):
    """Padding and the others of its batch change nothing: one step on both is one on their mean."""
    model = small_model().eval()
    total = 0.0
    for ids, mask in CHATS[:1]:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
        total += float(loss[torch.tensor(mask[1:]).bool()].mean())
    _, found = first_loss(fill_rows(None, CHATS[:1], longest=LONGEST, pad_id=1), tmp_path / "one")
    assert found == pytest.approx(total, abs=1e-5)
