"""The perplexity method: what its scores and receipts are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from perplexity_chain import (
    LENGTH,
    N_KIND,
    OPTIONS,
    ROWS,
    TEXTS,
    TOKENIZER,
    cost_inputs,
    inputs,
    run,
    score,
    with_losses,
)

from selection.methods.contract.cost import PHASES
from selection.methods.contract.preparation import Prepared
from selection.methods.contract.values import Rows
from selection.methods.perplexity import perplexities
from selection.methods.perplexity.method import METHOD
from selection.methods.perplexity.nll import TOLERANCE
from selection.methods.perplexity.options import PerplexityOptions
from selection.models.base import load_model
from selection.models.checkpoints import weights_digest
from selection.models.tokenizer import tokenize


def test_receipts_are_the_perplexities_of_the_tuned_selector(made):
    scores = score(with_losses(made))
    model = load_model(made["tuned_selector"].path("checkpoint")).double()
    read = tokenize(TOKENIZER, TEXTS)
    assert sum(len(ids) > LENGTH for ids in read) > len(TEXTS) / 3  # more than one window
    for row in range(0, len(TEXTS), 7):
        nll = 0.0
        for start in range(0, len(read[row]), LENGTH):
            ids = [TOKENIZER.bos_token_id, *read[row][start : start + LENGTH]]
            with torch.no_grad():
                log_p = model(input_ids=torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
            nll -= log_p[range(len(ids) - 1), ids[1:]].sum().item()
        perplexity = np.exp(nll / len(read[row]))
        assert scores.receipts["perplexity"][row] == pytest.approx(perplexity, rel=1e-5)
        assert scores.receipts["tokens_read"][row] == len(read[row])
        assert scores.receipts["windows"][row] == -(-len(read[row]) // LENGTH)
    assert made["perplexities"].facts == {"window": LENGTH, "share_read": 1.0}
    assert made["perplexities"].array("nll.npy").dtype == np.float64
    assert made["perplexities"].array("tokens.npy").dtype == np.int64


def test_tuning_lowers_the_perplexity_of_the_targets_kind_of_rows_most(selector, made, tmp_path):
    untuned = score(with_losses(run(selector, tmp_path, PerplexityOptions(epochs=0)))).receipts[
        "perplexity"
    ]
    change = np.log(score(with_losses(made)).receipts["perplexity"]) - np.log(untuned)
    assert change[:N_KIND].mean() < change[N_KIND:].mean() - 0.02
    assert change[:N_KIND].mean() < -0.5


def test_without_epochs_the_selector_is_read_as_it_is_and_costs_no_training(selector, tmp_path):
    assert [one.asset for one in METHOD.preparations(PerplexityOptions(epochs=0))] == [
        "perplexities"
    ]
    cost = METHOD.cost(cost_inputs(selector, epochs=0))
    assert set(cost.parts) == cost.phases.keys() - set(PHASES) == {"perplexities"}
    before = weights_digest(load_model(selector.folder))
    run(selector, tmp_path, PerplexityOptions(epochs=0))
    assert weights_digest(load_model(selector.folder)) == before


def test_each_band_ranks_as_sorting_does(made):
    rows = with_losses(made)
    perplexity = np.asarray(score(rows).receipts["perplexity"])
    by_perplexity = np.argsort(perplexity).tolist()
    n = len(by_perplexity)
    assert len(set(perplexity.tolist())) == n
    ranked = {
        b: np.argsort(-score(rows, band=b).score[0], kind="stable").tolist()
        for b in ("low", "mid", "high")
    }
    assert ranked["low"] == by_perplexity
    assert ranked["high"] == by_perplexity[::-1]
    middle = by_perplexity[-(-n // 3) : n - -(-n // 3)]
    assert set(ranked["mid"][: len(middle)]) == set(middle)
    assert (np.asarray(score(rows).receipts["band"])[middle] == "mid").all()
    assert score(rows).receipts["quantile"][by_perplexity[0]] == pytest.approx(0.5 / n)


def test_scores_are_the_same_within_the_tolerance_whatever_the_blocks_and_batches(
    selector, made, tmp_path, monkeypatch
):
    whole = score(with_losses(made))
    monkeypatch.setattr(perplexities, "BLOCK_ROWS", 7)
    monkeypatch.setattr(
        "selection.methods.perplexity.nll.text_nll.__kwdefaults__", {"batch_tokens": 150}
    )
    one = METHOD.preparations(OPTIONS)[-1]
    batches = [ROWS.take(slice(0, 11)), ROWS.take(slice(11, None))]
    given = inputs(selector, tmp_path, pool=lambda: iter(batches), prepared=made)
    again = one.prepare(given)
    assert len(list(tmp_path.glob("*.safetensors"))) > len(TEXTS) // 7
    for name in ("tokens.npy", "windows.npy"):
        np.testing.assert_array_equal(again.array(name), made["perplexities"].array(name))
    rows = with_losses({"perplexities": again})
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = Rows(
        rows.row_id[order], [TEXTS[i] for i in order], rows.n_words, features=rows.features[order]
    )
    moved = np.log(score(shuffled).receipts["perplexity"])
    moved -= np.log(whole.receipts["perplexity"])[order]
    assert np.abs(moved).max() < TOLERANCE


def test_prepared_serves_the_next_preparation_as_files(made):
    assert isinstance(made["tuned_selector"], Prepared)
    assert made["tuned_selector"].path("checkpoint").is_dir()
    assert made["tuned_selector"].facts["final_loss"] < made["tuned_selector"].facts["first_loss"]
