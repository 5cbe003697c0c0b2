"""Losses of rows are those of the model alone with one window, whatever the batch."""

from __future__ import annotations

import inspect
import statistics
from typing import Any

import numpy as np
import pytest
import torch

from selection.methods.perplexity import nll as module
from selection.methods.perplexity.nll import TOLERANCE, text_nll
from selection.models.base import new_model, tiny_config
from selection.models.tokenizer import tokenize, train_tokenizer
from selection.models.windows import window_texts

DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
PARAGRAPHS = [part for text in DOCUMENTED if text for part in text.split("\n\n")]
TEXTS = sorted({text for text in PARAGRAPHS if len(text) > 3})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
WINDOW = 48
ROWS = window_texts(TEXTS, TOKENIZER, WINDOW, with_end=False)
LENGTHS = np.array([row.n_read for row in ROWS])
SIZES = {"width": 32, "layers": 2, "heads": 2, "ffn_width": 64, "vocabulary": 400}


def model(architecture: Any = "llama"):
    config = tiny_config(architecture, **SIZES, sequence_length=64)
    made = new_model(config, seed=0)
    with torch.no_grad():  # so that some tokens are far likelier than others
        for weight in made.parameters():
            weight.mul_(4.0 if weight.dim() == 2 else 1.0)
    return made


def alone_in_float64(architecture: Any) -> np.ndarray:
    """One window of one row at a time, unbatched."""
    exact = model(architecture).double().eval()
    sums = []
    for ids in tokenize(TOKENIZER, TEXTS):
        total = 0.0
        for start in range(0, len(ids), WINDOW):
            said = ids[start : start + WINDOW]
            fed = torch.tensor([[TOKENIZER.bos_token_id, *said[:-1]]])
            with torch.no_grad():
                log_p = exact(input_ids=fed).logits[0].log_softmax(-1)
            assert log_p.dtype == torch.float64
            total -= log_p[range(len(said)), said].sum().item()
        sums.append(total)
    return np.array(sums)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_losses_are_those_of_one_window_at_a_time_in_float64(architecture, figures):
    assert (LENGTHS > WINDOW).sum() > 20
    found = text_nll(model(architecture), ROWS, device="cpu")
    expected = alone_in_float64(architecture)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.dtype == np.float64
    figures.record("M3", losses_compared=len(ROWS))


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_float32_changes_no_ranking_beyond_the_tolerance(architecture):
    exact = alone_in_float64(architecture) / LENGTHS
    found = text_nll(model(architecture), ROWS, device="cpu") / LENGTHS
    assert np.abs(found - exact).max() < TOLERANCE
    assert exact.std() > 1000 * TOLERANCE
    ahead = exact[:, None] - exact[None, :] > 2 * TOLERANCE
    assert (found[:, None] > found[None, :])[ahead].all()


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_losses_are_the_same_within_the_tolerance_whatever_shares_their_batch(
    architecture, monkeypatch
):
    one_by_one = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=1)
    for batch_tokens in (100, 700, 100_000):
        found = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=batch_tokens)
        assert (np.abs(found - one_by_one) < TOLERANCE * LENGTHS).all()
    monkeypatch.setattr(module, "_SHORTEST_SHARE", 0)
    padded = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=100_000)
    assert (np.abs(padded - one_by_one) < TOLERANCE * LENGTHS).all()


def test_windows_of_many_rows_share_a_pass_and_none_is_larger_than_the_budget(monkeypatch):
    counted, sizes = model(), []
    counted.register_forward_pre_hook(
        lambda _, arguments, named: sizes.append(named["input_ids"].shape), with_kwargs=True
    )
    [long] = window_texts([" ".join(TEXTS)], TOKENIZER, WINDOW, with_end=False)
    text_nll(counted, [long, *ROWS], device="cpu", batch_tokens=512)
    assert len(sizes) < sum(len(row.windows) for row in [long, *ROWS]) / 4
    assert max(n * width for n, width in sizes) <= 512
    assert max(width for _, width in sizes) == WINDOW


def test_no_rows_have_no_losses():
    assert text_nll(model(), [], device="cpu").shape == (0,)
