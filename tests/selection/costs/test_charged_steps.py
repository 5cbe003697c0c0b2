"""Every step that is charged is charged what torch counts while it runs, within a twentieth.

Left out are the steps that multiply no matrices in torch: there is nothing to count in BM25, DSIR,
a static embedder, and what methods compute on arrays (`operation_count`). A distillation takes half
a minute, and is the encoder's formula over a vocabulary that another test counts.
"""

from __future__ import annotations

import inspect
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chats import chat, tokenizer_like
from counting_flops import Spent, counted, inline_lane, write_encoder, write_task
from torch.nn.attention import SDPBackend, sdpa_kernel

from selection.arms.evaluate import evaluate_checkpoint, evaluation_passes
from selection.arms.harness import run_on_checkpoint
from selection.arms.train import train_arm, warm_up
from selection.config.embedders import Tuning
from selection.config.study import Harness
from selection.costs import ModelShape
from selection.costs.passes import passes_flops
from selection.costs.rows import rows_forward_flops, trained_flops
from selection.embedding import bert, transformer
from selection.embedding.embedder import encode, load_embedder
from selection.embedding.tuning import tune_embedder, tuning_flops
from selection.methods import REGISTRY
from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.preparation import PrepareInputs, Selector
from selection.methods.contract.values import Rows
from selection.models.base import load_model, load_tokenizer, new_model, save_checkpoint
from selection.models.base import tiny_config as config_of
from selection.models.examples import Example, plain_examples
from selection.models.recipe import Recipe
from selection.models.tokenizer import count_tokens
from selection.models.windows import read_lengths
from selection.planning.workload import planned_evaluation_flops

WINDOW = 96
ACCOUNTANT = "measured"
"""The one that means to say what torch counts; the others are formulas of a paper's."""
DOCUMENTED = sorted(
    {d for n in statistics.__all__ if (d := inspect.getdoc(getattr(statistics, n)))}
)
CUT = [text[: 40 + 97 * n % 900] for n, text in enumerate(DOCUMENTED[::2])]
LABELS_10 = [f"label number {n}" for n in range(10)]
LABELS_77 = [f"intent {n} of the caller" for n in range(77)]
PLAIN = plain_examples([f"r{n}" for n in range(len(CUT))], CUT)
LABELLED = [Example(f"l{n}", text, label=LABELS_10[n % 10]) for n, text in enumerate(CUT)]
PROMPTED = [
    Example(f"g{n}", text, prompt=text, response=f"{n} is it") for n, text in enumerate(CUT)
]
CHATS = [
    Example(f"c{n}", "", turns=chat(text[:40], text[40:140], "And so?", text[140:300]).to_json())
    for n, text in enumerate(DOCUMENTED)
    if len(text) > 300
]
TUNING = Tuning.model_validate({"learning_rate": 0.003, "batch_size": 8, "epochs": 1})


@pytest.fixture(autouse=True)
def countable(monkeypatch):
    """One thread, and no kernel that the counter does not know: of fused ones it counts none."""
    monkeypatch.setattr(bert, "fuses", lambda *_: False)
    for lanes in ("torch_lanes", "one_lane"):
        monkeypatch.setattr(transformer, lanes, inline_lane)
    with sdpa_kernel(SDPBackend.MATH):
        yield


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_like("chatml")


@pytest.fixture(scope="module")
def model(tokenizer, tmp_path_factory) -> Selector:
    config = config_of(
        "llama",
        width=64,
        layers=2,
        heads=4,
        ffn_width=128,
        vocabulary=len(tokenizer),
        sequence_length=WINDOW,
    )
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    save_checkpoint(new_model(config, seed=0), tokenizer, folder)
    shape = ModelShape.from_config(config)
    # The accountant measures a model of the shape, once: that is no part of what is counted here.
    for widths in ([WINDOW], [1]):
        rows_forward_flops(shape, np.array(widths), accountant=ACCOUNTANT)
        for lora in (False, True):
            trained_flops(shape, np.array(widths), accountant=ACCOUNTANT, lora=lora)
    return Selector(folder, shape, ACCOUNTANT)


def evaluating(examples: list[Example], labels: list[str]) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        passes = evaluation_passes(load_tokenizer(model.folder), examples, labels, WINDOW)
        run = partial(evaluate_checkpoint, model.folder, examples, labels, seed=0)
        _, flops = counted(lambda: run(max_length=WINDOW, device="cpu"))
        charged = passes_flops(model.shape, passes, accountant=ACCOUNTANT)
        foreseen = planned_evaluation_flops(
            load_tokenizer(model.folder), examples, labels, model.shape, ACCOUNTANT, n_models=1
        )
        assert foreseen == charged
        return charged, flops

    return step


def warming_up(chats: list[Example]) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        loaded, tokenizer = load_model(model.folder), load_tokenizer(model.folder)
        phase, flops = counted(
            lambda: warm_up(
                loaded,
                tokenizer,
                CUT,
                Recipe(batch_size=4, epochs=1),
                chats=chats,
                shape=model.shape,
                accountant=ACCOUNTANT,
                work_dir=work,
                device="cpu",
            )
        )
        return phase.flops, flops

    return step


def fine_tuning(lora_rank: int | None) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        spent, recipe = Spent(), Recipe(batch_size=4, epochs=1, lora_rank=lora_rank)
        arm, flops = counted(
            lambda: train_arm(
                model.folder,
                [],
                LABELLED,
                warm_up_recipe=recipe,
                fine_tuning_recipe=recipe,
                shape=model.shape,
                accountant=ACCOUNTANT,
                work_dir=work,
                device="cpu",
                meter=spent,
            )
        )
        assert spent.flops == pytest.approx(arm.fine_tuning.flops)
        return arm.fine_tuning.flops, flops

    return step


def running_tasks(kind: str) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        write_task(work, kind, CUT, LABELS_10[:4])
        spent = Spent()
        harness = Harness.model_validate({"tasks": [kind], "include_path": str(work)})
        (_, charged), flops = counted(
            lambda: run_on_checkpoint(
                harness,
                model.folder,
                shape=model.shape,
                accountant=ACCOUNTANT,
                n_resamples=10,
                device="cpu",
                resolve=Path,
                meter=spent,
            )
        )
        assert spent.flops == pytest.approx(charged)
        return charged, flops

    return step


def preparing(name: str, asset: str, **options: Any) -> Any:
    """One preparation of a method, after those that it needs."""

    def step(model: Selector, work: Path) -> tuple[float, float]:
        method: Any = REGISTRY[name]
        given = method.options.model_validate(options)
        row_id = np.array([e.row_id for e in PLAIN])
        rows = Rows(row_id, CUT, np.full(len(CUT), 50))
        tokenizer, target = load_tokenizer(model.folder), [*PLAIN[:10], *LABELLED[10:20]]
        size = SelectorSize(
            model.shape,
            ACCOUNTANT,
            count_tokens(tokenizer, CUT),
            read_lengths(target, tokenizer, WINDOW),
        )
        sizes = CostInputs(len(CUT), len(target), 0.0, 0.0, 0, given, size)
        prepared: dict[str, Any] = {}
        for one in method.preparations(given):
            folder, spent = work / one.asset, Spent()
            folder.mkdir()
            inputs = PrepareInputs(
                given,
                lambda: iter([rows]),
                len(CUT),
                folder,
                target=target,
                selector=model,
                prepared=prepared,
                meter=spent,
            )
            made, flops = counted(lambda one=one, inputs=inputs: one.prepare(inputs))
            if one.asset == asset:
                assert spent.flops == pytest.approx(made.flops, rel=1e-9)
                within = 0.15 if asset == "selector_warm_up" else 1e-9  # it draws another sample
                assert one.flops(sizes) == pytest.approx(made.flops, rel=within)
                return made.flops, flops
            prepared[one.asset] = made
        raise AssertionError(f"{name} prepares no {asset}")

    return step


PROMPT = "Represent this sentence for searching relevant passages of all kinds: "


def embedding(**encoder: str) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        embedder = load_embedder(write_encoder(work, **encoder), precision="float32")
        encoded, flops = counted(lambda: encode(embedder, CUT))
        return encoded.flops, flops

    return step


def tuning(**encoder: str) -> Any:
    def step(model: Selector, work: Path) -> tuple[float, float]:
        folder = write_encoder(work, **encoder)
        tuned, flops = counted(lambda: tune_embedder(folder, work / "tuned", CUT, TUNING))
        embedder = load_embedder(folder, precision="float32")
        assert tuned.flops == tuning_flops(embedder, embedder.tokenize(CUT).lengths, TUNING)
        return tuned.flops, flops

    return step


SMALL_GRADIENTS = {"dimensions": 256, "checkpoints": 1, "warm_up_share": 0.5, "lora_rank": 2}
STEPS: dict[str, Any] = {
    "embedding": embedding(),
    "embedding by the library": embedding(pooling="max"),
    "embedding with a default prompt": embedding(prompt=PROMPT),
    "tuning of the embedder": tuning(),
    "tuning of one with a default prompt": tuning(prompt=PROMPT),
    "tuned_selector": preparing("perplexity", "tuned_selector", epochs=1),
    "perplexities": preparing("perplexity", "perplexities", epochs=0),
    "selector_warm_up": preparing("gradient", "selector_warm_up", **SMALL_GRADIENTS),
    "gradient_store": preparing("gradient", "gradient_store", **SMALL_GRADIENTS),
    "target_gradients": preparing("gradient", "target_gradients", **SMALL_GRADIENTS),
    "warm-up": warming_up([]),
    "warm-up with chats": warming_up(CHATS),
    "fine-tuning": fine_tuning(None),
    "fine-tuning with LoRA": fine_tuning(1),
    "evaluation of texts": evaluating(PLAIN, []),
    "evaluation of responses to long prompts": evaluating(PROMPTED, []),
    "evaluation of chats": evaluating(CHATS, []),
    "evaluation with 10 labels": evaluating(LABELLED, LABELS_10),
    "evaluation with 77 labels": evaluating(LABELLED, LABELS_77),
    "harness, choices": running_tasks("multiple_choice"),
    "harness, texts": running_tasks("loglikelihood_rolling"),
    "harness, generated": running_tasks("generate_until"),
}


@pytest.mark.parametrize("name", STEPS)
def test_what_is_charged_is_what_torch_counts(name, model, tmp_path):
    charged, flops = STEPS[name](model, tmp_path)
    assert flops > 0
    assert charged == pytest.approx(flops, rel=0.05)


def test_no_preparation_that_runs_a_model_is_missing():
    made = {
        preparation.asset
        for method in REGISTRY.values()
        for preparation in method.preparations(method.options())
        if preparation.needs_selector
    }
    assert made <= STEPS.keys()
