"""The perplexity method from the selector to the scores, with a real selector on real text."""

from __future__ import annotations

import dataclasses
import inspect
import os
import signal
import statistics
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from selection.budget.meter import BudgetExhausted
from selection.costs import ModelShape
from selection.methods.contract.cost import PHASES, CostInputs, SelectorSize
from selection.methods.contract.preparation import Prepared, PrepareInputs, Selector
from selection.methods.contract.protocol import FitInputs, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.perplexity import perplexities
from selection.methods.perplexity.method import METHOD
from selection.methods.perplexity.options import PerplexityOptions
from selection.models import base
from selection.models.base import load_model, new_model, save_checkpoint, tiny_config
from selection.models.checkpoints import weights_digest
from selection.models.examples import Example, render
from selection.models.tokenizer import train_tokenizer


def paragraphs(module) -> list[str]:
    documented = [inspect.getdoc(getattr(module, name)) for name in module.__all__]
    parts = {part[:240] for text in documented if text for part in text.split("\n\n")}
    return sorted(part for part in parts if len(part) > 20)


KIND = paragraphs(statistics)
EXAMPLES = [Example(f"t{i}", text) for i, text in enumerate(KIND[::2])]
TEXTS = KIND[1::2] + paragraphs(unittest)
ROWS = Rows(np.array([f"p{i:03d}" for i in range(len(TEXTS))]), TEXTS, np.full(len(TEXTS), 50))
N_KIND = len(KIND[1::2])
TARGET = Rows(np.array([e.row_id for e in EXAMPLES]), [e.text for e in EXAMPLES], np.array([]))
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
LENGTH = 64
OPTIONS = PerplexityOptions(epochs=4, learning_rate=3e-3, batch_size=4)


class Counted:
    """A meter that stops work after so many parts."""

    def __init__(self, parts: float = float("inf")) -> None:
        self.parts, self.flops = parts, 0.0

    def affords(self, flops: float) -> bool:
        return self.parts >= 1

    def charge(self, flops: float) -> None:
        if self.parts < 1:
            raise BudgetExhausted("no more")
        self.parts -= 1
        self.flops += flops


def make_selector(folder: Path, seed: int = 0) -> Selector:
    config = tiny_config(
        "llama",
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=len(TOKENIZER),
        sequence_length=LENGTH,
    )
    if not folder.exists():
        save_checkpoint(new_model(config, seed=seed), TOKENIZER, folder)
    return Selector(folder, ModelShape.from_config(config), "measured")


@pytest.fixture(scope="module")
def selector(tmp_path_factory) -> Selector:
    return make_selector(tmp_path_factory.mktemp("models") / "selector")


def inputs(selector: Selector | None, work: Path, **other: Any) -> PrepareInputs:
    work.mkdir(parents=True, exist_ok=True)
    given = {"options": OPTIONS, "pool": lambda: iter([ROWS]), "target": EXAMPLES} | other
    return PrepareInputs(n_pool=len(TEXTS), work=work, selector=selector, **given)


def run(selector: Selector, work: Path, options: PerplexityOptions, **other: Any) -> dict[str, Any]:
    """Every preparation in its order, what one made given to the next."""
    made: dict[str, Any] = {}
    for one in METHOD.preparations(options):
        given = inputs(selector, work / one.asset, options=options, **other)
        needed = {name: made[name] for name in one.needs}
        made[one.asset] = one.prepare(dataclasses.replace(given, prepared=needed))
    return made


def with_losses(made: dict[str, Any]) -> Rows:
    features = METHOD.preparations(OPTIONS)[-1].features(made["perplexities"])
    assert features.shape == (len(TEXTS), 2)
    return dataclasses.replace(ROWS, features=features)


@pytest.fixture(scope="module")
def made(selector, tmp_path_factory) -> dict[str, Any]:
    return run(selector, tmp_path_factory.mktemp("work"), OPTIONS)


def score(rows: Rows, **options) -> Scores:
    given = PerplexityOptions(**options)
    fitted = METHOD.fit(
        FitInputs(TARGET, lambda: iter([rows]), n_pool=len(TEXTS), options=given, seed=0)
    )
    return METHOD.score(fitted, ScoreInputs(rows, target=TARGET, options=given, seeds=(0,)))


def lengths(texts) -> np.ndarray:
    return np.array([len(render(Example("", t), TOKENIZER, LENGTH)[0]) for t in texts])


def cost_inputs(selector: Selector | None, **options) -> CostInputs:
    size = None
    if selector is not None:
        target_lengths = lengths(e.text for e in EXAMPLES)
        size = SelectorSize(selector.shape, selector.accountant, lengths(TEXTS), target_lengths)
    return CostInputs(
        len(TEXTS),
        len(EXAMPLES),
        0.0,
        0.0,
        8,
        PerplexityOptions(**options) if options else OPTIONS,
        size,
    )


def test_receipts_are_the_perplexities_of_the_tuned_selector(made):
    scores = score(with_losses(made))
    model = load_model(made["tuned_selector"].path("checkpoint")).double()
    for row in range(0, len(TEXTS), 7):
        ids = render(Example("", TEXTS[row]), TOKENIZER, LENGTH)[0][:-1]
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
        assert scores.receipts["perplexity"][row] == pytest.approx(np.exp(loss), rel=1e-5)
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


def test_scores_are_the_same_to_the_bit_whatever_the_blocks_and_batches(
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
    for name in ("nll.npy", "tokens.npy"):
        np.testing.assert_array_equal(again.array(name), made["perplexities"].array(name))
    rows = with_losses({"perplexities": again})
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = Rows(
        rows.row_id[order], [TEXTS[i] for i in order], rows.n_words, features=rows.features[order]
    )
    np.testing.assert_array_equal(score(shuffled).score[0], whole.score[0, order])


def test_the_cost_is_what_the_preparations_charge_and_what_torch_counts(
    selector, tmp_path, monkeypatch, figures
):
    def eager(folder):
        loaded = load_model(folder)
        loaded.set_attn_implementation("eager")  # of fused ones torch counts none on a CPU
        return loaded

    monkeypatch.setattr(base, "load_model", eager)
    cost = METHOD.cost(cost_inputs(selector))
    assert cost.accountant == "measured"
    assert cost.phases == {"embedding": 0.0, "fit": 0.0, "score": 0.0, **cost.parts}
    counted: dict[str, Any] = {}
    prepared: dict[str, Any] = {}
    for one in METHOD.preparations(OPTIONS):
        meter = Counted()
        given = inputs(selector, tmp_path / one.asset, meter=meter, prepared=prepared)
        with FlopCounterMode(display=False) as counter:
            prepared[one.asset] = one.prepare(given)
        counted[one.asset] = counter.get_total_flops()
        assert prepared[one.asset].accountant == "measured"
        assert prepared[one.asset].flops == pytest.approx(cost.parts[one.asset], rel=1e-9)
        assert meter.flops == pytest.approx(cost.parts[one.asset], rel=1e-9)
    assert counted == pytest.approx(cost.parts, rel=0.05)
    charged = {asset: round(cost.parts[asset] / counted[asset], 4) for asset in counted}
    figures.record("M7", **charged)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_the_meter_stops_it_and_the_next_attempt_goes_on(selector, made, tmp_path, parts):
    tuning, reading = METHOD.preparations(OPTIONS)
    with pytest.raises(BudgetExhausted):
        tuning.prepare(inputs(selector, tmp_path / "tuning", meter=Counted(parts)))
    again = tuning.prepare(inputs(selector, tmp_path / "tuning"))
    assert (again.resumed_flops > 0) == (parts > 0)
    assert again.flops == made["tuned_selector"].flops
    digests = [
        weights_digest(load_model(m.path("checkpoint"))) for m in (again, made["tuned_selector"])
    ]
    assert digests[0] == digests[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perplexities, "BLOCK_ROWS", 9)
        stopped = inputs(selector, tmp_path / "reading", prepared=made, meter=Counted(parts))
        with pytest.raises(BudgetExhausted):
            reading.prepare(stopped)
        assert len(list((tmp_path / "reading").glob("*.safetensors"))) == parts
        finished = reading.prepare(inputs(selector, tmp_path / "reading", prepared=made))
    assert (finished.resumed_flops > 0) == (parts > 0)
    assert finished.flops == pytest.approx(made["perplexities"].flops)
    np.testing.assert_array_equal(finished.array("nll.npy"), made["perplexities"].array("nll.npy"))


class KilledAfter(Counted):
    """Kills its own process where `Counted` would stop the work."""

    def affords(self, flops: float) -> bool:
        return True

    def charge(self, flops: float) -> None:
        if self.parts < 1:
            os.kill(os.getpid(), signal.SIGKILL)
        super().charge(flops)


def killed(selector_folder: Path, work: Path) -> None:
    """Entry point of the process that the test below kills: in its third block of rows."""
    perplexities.BLOCK_ROWS = 9
    options = PerplexityOptions(epochs=0)
    given = inputs(make_selector(selector_folder), work, options=options, meter=KilledAfter(2))
    METHOD.preparations(options)[-1].prepare(given)


def test_a_killed_process_leaves_its_finished_blocks_to_the_next(selector, tmp_path, monkeypatch):
    command = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "from pathlib import Path; import test_perplexity;"
        f"test_perplexity.killed(Path({str(selector.folder)!r}), Path({str(tmp_path)!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", command], check=False)
    assert ended.returncode == -signal.SIGKILL
    monkeypatch.setattr(perplexities, "BLOCK_ROWS", 9)
    reading = METHOD.preparations(PerplexityOptions(epochs=0))[-1]
    meter = Counted()
    resumed = reading.prepare(
        inputs(selector, tmp_path, options=PerplexityOptions(epochs=0), meter=meter)
    )
    assert resumed.resumed_flops > 0
    assert meter.flops + resumed.resumed_flops == pytest.approx(resumed.flops)
    fresh = reading.prepare(
        inputs(selector, tmp_path / "fresh", options=PerplexityOptions(epochs=0))
    )
    np.testing.assert_array_equal(resumed.array("nll.npy"), fresh.array("nll.npy"))


def test_a_half_written_checkpoint_of_a_killed_attempt_is_replaced(selector, made, tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.safetensors").write_bytes(b"half")
    again = METHOD.preparations(OPTIONS)[0].prepare(inputs(selector, tmp_path))
    assert weights_digest(load_model(again.path("checkpoint"))) == weights_digest(
        load_model(made["tuned_selector"].path("checkpoint"))
    )


def test_a_study_without_a_selector_is_told_to_add_one(tmp_path):
    with pytest.raises(ValueError, match="add `selector:` to the study"):
        METHOD.cost(cost_inputs(None))
    for number, one in enumerate(METHOD.preparations(OPTIONS)):
        with pytest.raises(ValueError, match="add `selector:` to the study"):
            one.prepare(inputs(None, tmp_path / str(number)))


def test_what_cannot_be_scored_is_refused(selector, tmp_path):
    with pytest.raises(ValueError, match=r"preparation `perplexities`"):
        score(ROWS)
    empty = Rows(np.array(["p1"]), [""], np.array([1]))
    with pytest.raises(ValueError, match="row p1 of the pool is empty"):
        run(selector, tmp_path, PerplexityOptions(epochs=0), pool=lambda: iter([empty]))
    with pytest.raises(ValueError, match="the target has no example to tune the selector on"):
        METHOD.preparations(OPTIONS)[0].prepare(inputs(selector, tmp_path / "t", target=()))
    with pytest.raises(ValidationError):
        PerplexityOptions.model_validate({"band": "top"})


def test_a_pool_that_yields_fewer_rows_than_it_says_is_refused(made):
    rows = with_losses(made)
    few = FitInputs(TARGET, lambda: iter([rows]), n_pool=len(TEXTS) + 1, options=OPTIONS, seed=0)
    with pytest.raises(ValueError, match=f"yielded {len(TEXTS)} rows and n_pool says"):
        METHOD.fit(few)


def test_what_preparations_say_of_themselves_follows_their_contract():
    tuning, reading = METHOD.preparations(PerplexityOptions())
    assert (tuning.asset, tuning.shared, tuning.by_source) == ("tuned_selector", False, False)
    assert (reading.asset, reading.shared, reading.by_source) == ("perplexities", False, True)
    assert reading.needs == ("tuned_selector",) and tuning.needs == ()
    assert tuning.needs_selector and reading.needs_selector
    known = set(METHOD.options.model_fields)
    assert {*tuning.reads, *reading.reads} <= known
    assert all(field.description for field in METHOD.options.model_fields.values())


def test_prepared_serves_the_next_preparation_as_files(made):
    assert isinstance(made["tuned_selector"], Prepared)
    assert made["tuned_selector"].path("checkpoint").is_dir()
    assert made["tuned_selector"].facts["final_loss"] < made["tuned_selector"].facts["first_loss"]
