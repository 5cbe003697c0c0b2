"""Losses of rows are those of the model alone with one row, whatever the batch."""

from __future__ import annotations

import inspect
import statistics
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from selection.costs import ModelShape
from selection.costs.rows import rows_forward_flops
from selection.methods.perplexity.nll import text_nll
from selection.models.base import new_model, tiny_config
from selection.models.examples import Example, render_parts
from selection.models.tokenizer import train_tokenizer

DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
PARAGRAPHS = [part for text in DOCUMENTED if text for part in text.split("\n\n")]
TEXTS = sorted({text[:300] for text in PARAGRAPHS if len(text) > 3})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
MAX_LENGTH = 48
ROWS = [render_parts(Example(str(i), t), TOKENIZER, MAX_LENGTH) for i, t in enumerate(TEXTS)]
SIZES = {"width": 32, "layers": 2, "heads": 2, "ffn_width": 64, "vocabulary": 400}


def model(architecture: Any = "llama"):
    return new_model(tiny_config(architecture, **SIZES, sequence_length=64), seed=0)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_losses_are_the_cross_entropy_of_one_row_at_a_time_in_float64(architecture, figures):
    found = text_nll(model(architecture), ROWS, device="cpu")
    alone = model(architecture).double().eval()
    for row, nll in zip(ROWS, found, strict=True):
        start, stop = row.measured
        with torch.no_grad():
            logits = alone(input_ids=torch.tensor([row.ids])).logits[0]
        assert logits.dtype == torch.float64
        expected = sum(
            -torch.log_softmax(logits[i - 1], dim=0)[row.ids[i]].item() for i in range(start, stop)
        )
        assert nll == pytest.approx(expected, abs=1e-6)
    figures.record("M3", losses_compared=len(ROWS))


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_losses_are_the_same_to_the_bit_whatever_shares_their_batch(architecture, monkeypatch):
    one_by_one = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=1)
    for batch_tokens in (100, 700, 100_000):
        found = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=batch_tokens)
        np.testing.assert_array_equal(found, one_by_one)
    monkeypatch.setattr("selection.methods.perplexity.nll._SHORTEST_SHARE", 0)
    padded = text_nll(model(architecture), ROWS, device="cpu", batch_tokens=100_000)
    np.testing.assert_array_equal(padded, one_by_one)
    order = np.random.default_rng(0).permutation(len(ROWS))
    shuffled = text_nll(model(architecture), [ROWS[i] for i in order], device="cpu")
    np.testing.assert_array_equal(shuffled, one_by_one[order])


def test_rows_cut_at_the_longest_sequence_are_measured_up_to_the_cut():
    cut = next(row for row in ROWS if row.n_truncated)
    assert cut.measured == (1, MAX_LENGTH - 1)
    longer = render_parts(Example("0", cut.measured_text), TOKENIZER, 4 * MAX_LENGTH)
    assert longer.ids[: MAX_LENGTH - 1] == cut.ids[: MAX_LENGTH - 1]
    np.testing.assert_array_equal(
        text_nll(model(), [cut], device="cpu"), text_nll(model(), [longer], device="cpu")
    )


@pytest.mark.parametrize("batch_tokens", [256, 4096])
def test_the_operations_that_torch_counts_are_those_foreseen(batch_tokens):
    counted = model()
    counted.set_attn_implementation("eager")  # of the fused kernels torch counts none on a CPU
    with FlopCounterMode(display=False) as counter:
        text_nll(counted, ROWS, device="cpu", batch_tokens=batch_tokens)
    shape = ModelShape.from_config(counted.config)
    lengths = np.array([len(row.ids) for row in ROWS])
    foreseen = rows_forward_flops(shape, lengths, accountant="measured")
    assert counter.get_total_flops() == pytest.approx(foreseen, rel=0.05)


def test_no_rows_have_no_losses():
    assert text_nll(model(), [], device="cpu").shape == (0,)
