from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from selection.budget.meter import BudgetExhausted
from selection.costs import ModelShape
from selection.methods.contract.cost import PHASES, CostInputs, SelectorSize
from selection.methods.contract.preparation import Prepared, PrepareInputs, Selector
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.values import Rows
from selection.methods.gradient.method import METHOD
from selection.methods.gradient.options import GradientOptions
from selection.models.base import load_tokenizer, new_model, save_checkpoint, tiny_config
from selection.models.examples import Example, render
from selection.models.recipe import Recipe
from selection.models.tokenizer import train_tokenizer
from selection.models.training import train

LONGEST = 48
OPTIONS = GradientOptions(
    dimensions=1024,
    checkpoints=2,
    warm_up_share=0.3,
    lora_rank=4,
    learning_rate=2e-3,
    batch_size=8,
)
WARM_UP, STORE, TARGET = METHOD.preparations(OPTIONS)
RNG = np.random.default_rng(5)
PHRASES = {
    "kitchen": (
        "stir salt into the warm butter",
        "bake the bread until golden",
        "chop garlic and onion finely",
        "let the dough rest an hour",
    ),
    "court": (
        "the judge heard the appeal",
        "counsel argued that the claim is barred",
        "the statute does not apply here",
        "costs follow the event",
    ),
    "sea": (
        "waves broke over the grey harbour",
        "gulls cried above the old ships",
        "the tide turned before dawn",
        "nets hung drying on the pier",
    ),
}


def write_text(kind: str) -> str:
    return ", ".join(RNG.choice(PHRASES[kind], size=int(RNG.integers(2, 5)))) + "."


POOL_KINDS = np.array([["kitchen", "court", "sea"][i % 3] for i in range(120)])
TEXTS = [write_text(kind) for kind in POOL_KINDS]
POOL = Rows(
    np.array([f"p{i:04d}" for i in range(120)]), TEXTS, np.array([len(t.split()) for t in TEXTS])
)
EXAMPLES = [
    Example(f"t{i}", write_text(kind), label=kind) for i, kind in enumerate(["kitchen", "sea"] * 5)
]
NO_ROWS = Rows(np.empty(0, str), [], np.empty(0, np.int64))


@pytest.fixture(scope="module")
def selector(tmp_path_factory) -> Selector:
    """A decoder of two layers that has read texts of all kinds, some labelled, for seconds."""
    folder = tmp_path_factory.mktemp("selector")
    kinds = list(PHRASES) * 60
    texts = [write_text(kind) for kind in kinds]
    tokenizer = train_tokenizer(texts, vocab_size=400)
    config = tiny_config(
        "llama",
        width=32,
        layers=2,
        heads=4,
        ffn_width=64,
        vocabulary=len(tokenizer),
        sequence_length=LONGEST,
    )
    model = new_model(config, seed=0)
    examples = [
        Example("", text, label=kind if i % 2 else None)
        for i, (kind, text) in enumerate(zip(kinds, texts, strict=True))
    ]
    dataset = [render(example, tokenizer, LONGEST) for example in examples]
    train(
        model,
        dataset,
        Recipe(epochs=3, learning_rate=3e-3, batch_size=16),
        work_dir=folder / "work",
        pad_id=1,
        device="cpu",
    )
    save_checkpoint(model, tokenizer, folder / "model")
    return Selector(folder / "model", ModelShape.from_config(config), "measured")


class Tank:
    """A meter with so many FLOPs, which remembers what was charged."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room, self.charged = room, []

    def affords(self, flops: float) -> bool:
        return sum(self.charged) + flops <= self.room

    def charge(self, flops: float) -> None:
        if not self.affords(flops):
            raise BudgetExhausted("the tank is empty")
        self.charged.append(flops)


def inputs(selector: Selector, work: Path, **others: Any) -> PrepareInputs:
    work.mkdir(parents=True, exist_ok=True)
    batches = [POOL.take(slice(0, 50)), POOL.take(slice(50, 120))]
    given = {"pool": lambda: iter(batches), "selector": selector, "options": OPTIONS}
    return PrepareInputs(**{**given, "n_pool": 120, "work": work, **others})


@dataclass
class Chain:
    warm_up: Prepared
    store: Prepared
    target: Prepared
    meters: dict[str, Tank]

    def fit(self):
        prepared = {WARM_UP.asset: self.warm_up, TARGET.asset: self.target}
        given = FitInputs(NO_ROWS, lambda: iter([POOL]), 120, OPTIONS, seed=0, prepared=prepared)
        return METHOD.fit(given)

    def score(self, rows: Rows):
        return METHOD.score(
            self.fit(), ScoreInputs(rows, target=NO_ROWS, options=OPTIONS, seeds=(0,))
        )

    @property
    def pool(self) -> Rows:
        return replace(POOL, features=STORE.features(self.store))


@pytest.fixture(scope="module")
def chain(selector, tmp_path_factory) -> Chain:
    work = tmp_path_factory.mktemp("work")
    meters = {preparation.asset: Tank() for preparation in (WARM_UP, STORE, TARGET)}

    def run(preparation, **others):
        meter = meters[preparation.asset]
        return preparation.prepare(
            inputs(selector, work / preparation.asset, meter=meter, **others)
        )

    warmed = run(WARM_UP)
    prepared = {WARM_UP.asset: warmed}
    return Chain(
        warmed,
        run(STORE, prepared=prepared),
        run(TARGET, prepared=prepared, target=EXAMPLES),
        meters,
    )


def test_rows_of_the_targets_kinds_rank_above_others_each_by_its_own_subtask(chain):
    scores = chain.score(chain.pool)
    wanted = POOL_KINDS != "court"
    order = np.argsort(-scores.score[0], kind="stable")
    assert wanted[order[:20]].all()
    assert roc_auc_score(wanted, scores.score[0]) > 0.8
    told = scores.receipts["best_subtask"]
    assert set(told) == {"kitchen", "sea"}
    assert np.mean(told[wanted] == POOL_KINDS[wanted]) > 0.75


def test_the_score_is_the_best_subtasks_influence_and_the_receipts_say_so(chain):
    scores = chain.score(chain.pool)
    receipts = scores.receipts["influence_by_subtask"].to_pylist()
    assert [[pair["subtask"] for pair in row] for row in receipts] == [["kitchen", "sea"]] * 120
    values = np.array([[pair["influence"] for pair in row] for row in receipts])
    np.testing.assert_array_equal(values.max(axis=1), scores.score[0])
    np.testing.assert_array_equal(
        np.array(["kitchen", "sea"])[values.argmax(axis=1)], scores.receipts["best_subtask"]
    )


def test_scores_follow_the_definition_row_by_row_and_example_by_example(chain):
    rates = np.array(chain.warm_up.json("warm_up.json")["learning_rates"])
    pool, target = STORE.features(chain.store), chain.target.array("gradients.npy")
    subtasks = np.array(chain.target.json("subtasks.json"))
    expected = np.zeros((120, 2))
    for s, subtask in enumerate(["kitchen", "sea"]):
        for checkpoint in range(2):
            cosines = cosine_similarity(
                pool[:, checkpoint].astype(float), target[subtasks == subtask, checkpoint]
            )
            expected[:, s] += rates[checkpoint] / rates.sum() * cosines.mean(axis=1)
    np.testing.assert_allclose(chain.score(chain.pool).score[0], expected.max(axis=1), atol=2e-7)


def test_scores_are_the_same_to_the_bit_in_any_batch_and_none_is_fine_too(chain):
    whole, pool = chain.score(chain.pool), chain.pool
    for start, stop in ((0, 1), (1, 48), (48, 48), (48, 120)):
        part = chain.score(pool.take(slice(start, stop)))
        np.testing.assert_array_equal(part.score, whole.score[:, start:stop])
        for column, values in part.receipts.items():
            assert list(values) == list(whole.receipts[column][start:stop])


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
    assert len(list(tmp_path.iterdir())) == 8
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


def lengths(selector: Selector, examples: list[Example]) -> np.ndarray:
    tokenizer = load_tokenizer(selector.folder)
    return np.array([len(render(example, tokenizer, LONGEST)[0]) for example in examples])


@pytest.fixture(scope="module")
def cost_inputs(selector) -> CostInputs:
    pool = [Example("", text) for text in TEXTS]
    size = SelectorSize(
        selector.shape, "measured", lengths(selector, pool), lengths(selector, EXAMPLES)
    )
    return CostInputs(120, len(EXAMPLES), 1e30, 1e30, 0, OPTIONS, size)


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


def test_a_target_without_labels_is_one_subtask(chain, selector, tmp_path):
    unlabelled = [replace(example, label=None) for example in EXAMPLES]
    needs = {WARM_UP.asset: chain.warm_up}
    target = TARGET.prepare(inputs(selector, tmp_path, prepared=needs, target=unlabelled))
    scores = replace(chain, target=target).score(chain.pool)
    assert set(scores.receipts["best_subtask"]) == {"target"}
    assert roc_auc_score(POOL_KINDS != "court", scores.score[0]) > 0.8


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
