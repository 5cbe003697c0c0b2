"""What the gradient method prepares: the same whatever the blocks, resumed, and at its price."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from gradient_chain import (
    EXAMPLES,
    NO_ROWS,
    OPTIONS,
    POOL,
    RNG,
    STORE,
    TARGET,
    TEXTS,
    WARM_UP,
    Tank,
    inputs,
)
from torch.utils.flop_counter import FlopCounterMode

from selection.budget.meter import BudgetExhausted
from selection.methods.contract.cost import PHASES
from selection.methods.contract.preparation import PrepareInputs
from selection.methods.contract.protocol import FitInputs
from selection.methods.contract.values import Rows
from selection.methods.gradient.method import METHOD
from selection.methods.gradient.options import GradientOptions


def test_the_store_is_unit_float16_and_the_same_in_any_blocks_and_order(
    chain, selector, tmp_path, monkeypatch
):
    stored = STORE.features(chain.store)
    assert (stored.shape, stored.dtype) == ((120, 2, 1024), np.float16)
    np.testing.assert_allclose(np.linalg.norm(stored.astype(float), axis=2), 1.0, atol=1e-3)
    monkeypatch.setattr("selection.methods.gradient.gradient_store.rows_at_once", lambda size: 17)
    order = RNG.permutation(120)
    shuffled = Rows(POOL.row_id[order], [TEXTS[i] for i in order], POOL.n_words[order])
    given = inputs(
        selector,
        tmp_path,
        prepared={WARM_UP.asset: chain.warm_up},
        pool=lambda: iter([shuffled]),
    )
    other = STORE.features(STORE.prepare(given))
    assert len(list(tmp_path.glob("*.safetensors"))) == 8
    np.testing.assert_allclose(
        other.astype(float), stored[order].astype(float), atol=2 * np.finfo(np.float16).eps * 0.2
    )


def test_a_killed_preparation_goes_on_to_the_same_files(chain, selector, tmp_path, monkeypatch):
    monkeypatch.setattr("selection.methods.gradient.gradient_store.rows_at_once", lambda size: 17)
    needs = {"prepared": {WARM_UP.asset: chain.warm_up}}
    whole = {WARM_UP: chain.warm_up, STORE: chain.store, TARGET: chain.target}
    for preparation, room in ((WARM_UP, 0.7), (WARM_UP, 0.3), (STORE, 0.5)):
        work = tmp_path / f"{preparation.asset}_{room}"
        others = {} if preparation is WARM_UP else needs
        flops = whole[preparation].flops
        stopped = Tank(room * flops)
        with pytest.raises(BudgetExhausted):
            preparation.prepare(inputs(selector, work, meter=stopped, **others))
        rest = Tank()
        resumed = preparation.prepare(inputs(selector, work, meter=rest, **others))
        assert resumed.flops == pytest.approx(flops)
        assert resumed.resumed_flops == pytest.approx(sum(stopped.charged)) != 0
        assert sum(rest.charged) == pytest.approx(flops - resumed.resumed_flops)
        if preparation is WARM_UP:
            assert resumed.json("warm_up.json") == chain.warm_up.json("warm_up.json")
            for name in ("checkpoint_0.safetensors", "checkpoint_1.safetensors"):
                for array, values in resumed.arrays(name).items():
                    np.testing.assert_array_equal(values, chain.warm_up.arrays(name)[array])
        else:
            np.testing.assert_allclose(
                STORE.features(resumed).astype(float),
                STORE.features(chain.store).astype(float),
                atol=2 * np.finfo(np.float16).eps * 0.2,
            )


@pytest.mark.parametrize("preparation", [WARM_UP, STORE, TARGET], ids=lambda p: p.asset)
def test_what_is_charged_is_what_torch_counts_and_what_was_forecast(
    preparation, chain, selector, cost_inputs, tmp_path, figures
):
    meter = Tank()
    needs = {} if preparation is WARM_UP else {"prepared": {WARM_UP.asset: chain.warm_up}}
    with FlopCounterMode(display=False) as counter:
        prepared = preparation.prepare(
            inputs(selector, tmp_path, meter=meter, target=EXAMPLES, **needs)
        )
    counted = counter.get_total_flops()
    figures.record("M7", **{preparation.asset: round(sum(meter.charged) / counted, 4)})
    assert sum(meter.charged) == pytest.approx(counted, rel=0.05)
    assert prepared.flops == pytest.approx(sum(meter.charged))
    assert prepared.accountant == "measured"
    # The warm-up's sample is another draw of lengths than the forecast's.
    within = 0.15 if preparation is WARM_UP else 1e-9
    assert preparation.flops(cost_inputs) == pytest.approx(prepared.flops, rel=within)


def test_cost_names_a_part_for_each_preparation_and_leaves_embeddings_out(cost_inputs):
    cost = METHOD.cost(cost_inputs)
    made = {"selector_warm_up", "gradient_store", "target_gradients"}
    assert cost.phases.keys() - set(PHASES) == made
    assert cost.shared == {"selector_warm_up", "gradient_store"}
    assert cost.flops == sum(cost.parts.values()) == sum(cost.phases.values()) < 1e30
    assert cost.shared_flops == cost.parts["selector_warm_up"] + cost.parts["gradient_store"]
    assert cost.accountant == "measured"
    double = replace(cost_inputs, options=OPTIONS.model_copy(update={"checkpoints": 4}))
    assert METHOD.cost(double).parts["gradient_store"] == 2 * cost.parts["gradient_store"]


def test_preparations_say_what_they_read(chain):
    assert [p.asset for p in METHOD.preparations(GradientOptions())] == [
        WARM_UP.asset,
        STORE.asset,
        TARGET.asset,
    ]
    assert [p.needs for p in (WARM_UP, STORE, TARGET)] == [(), (WARM_UP.asset,), (WARM_UP.asset,)]
    options = set(METHOD.options.model_fields)
    assert [set(p.reads) for p in (WARM_UP, STORE)] == [options - {"dimensions"}, options]
    assert json.loads(json.dumps(chain.fit().facts)) == chain.fit().facts


def test_a_study_without_a_selector_is_told_to_add_one(cost_inputs, tmp_path):
    for ask in (METHOD.cost, WARM_UP.flops, STORE.flops, TARGET.flops):
        with pytest.raises(ValueError, match="add `selector:` to the study"):
            ask(replace(cost_inputs, selector=None))
    bare = PrepareInputs(OPTIONS, lambda: iter([POOL]), 120, tmp_path, target=EXAMPLES)
    for preparation in (WARM_UP, STORE, TARGET):
        with pytest.raises(ValueError, match="add `selector:` to the study"):
            preparation.prepare(bare)


def test_missing_preparations_and_features_are_refused(chain, selector, tmp_path):
    bare = FitInputs(NO_ROWS, lambda: iter([POOL]), 120, OPTIONS, seed=0)
    with pytest.raises(ValueError, match="prepare target_gradients first"):
        METHOD.fit(bare)
    with pytest.raises(ValueError, match="carry none"):
        chain.score(POOL)
    other = OPTIONS.model_copy(update={"lora_rank": 2})
    needs = {WARM_UP.asset: chain.warm_up}
    with pytest.raises(ValueError, match="make selector_warm_up again"):
        STORE.prepare(inputs(selector, tmp_path, options=other, prepared=needs))


def test_the_warm_up_lowers_the_loss_and_draws_the_same_rows_in_any_order(
    chain, selector, tmp_path
):
    losses = chain.warm_up.json("warm_up.json")["losses"]
    assert losses[-1] < losses[0]
    assert chain.warm_up.rows == 36
    order = RNG.permutation(120)
    shuffled = Rows(POOL.row_id[order], [TEXTS[i] for i in order], POOL.n_words[order])
    again = WARM_UP.prepare(inputs(selector, tmp_path, pool=lambda: iter([shuffled])))
    assert again.json("warm_up.json") == chain.warm_up.json("warm_up.json")
