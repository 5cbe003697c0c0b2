"""What the perplexity method prepares: resumed after a kill, at its price, or refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from perplexity_chain import (
    OPTIONS,
    ROWS,
    TARGET,
    TEXTS,
    Counted,
    cost_inputs,
    inputs,
    make_selector,
    run,
    score,
    with_losses,
)
from pydantic import ValidationError
from small_project import Project
from torch.utils.flop_counter import FlopCounterMode

from selection.budget.meter import BudgetExhausted
from selection.methods.contract.protocol import FitInputs
from selection.methods.contract.values import Rows
from selection.methods.perplexity import perplexities
from selection.methods.perplexity.method import METHOD
from selection.methods.perplexity.nll import TOLERANCE
from selection.methods.perplexity.options import PerplexityOptions
from selection.models import base
from selection.models.base import load_model
from selection.models.checkpoints import weights_digest


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
    tokens = finished.array("tokens.npy")
    moved = finished.array("nll.npy") / tokens - made["perplexities"].array("nll.npy") / tokens
    assert np.abs(moved).max() < TOLERANCE  # its blocks, and so its batches, were others


def test_a_killed_process_leaves_its_finished_blocks_to_the_next(
    zygote, selector, tmp_path, monkeypatch
):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "from pathlib import Path; from test_perplexity_preparations import killed;"
        f"killed(Path({str(selector.folder)!r}), Path({str(tmp_path)!r}))"
    )
    zygote.start(Project(tmp_path), script=script).die()
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
