"""What is foreseen of a study's work is what its runs report, to the FLOP."""

import inspect
import re
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.arms import evaluate
from selection.arms.base import tiny_model
from selection.arms.train import train_arm, warm_up
from selection.config.decoders import TinyBase
from selection.config.embedders import EmbedderSpec
from selection.config.study import Study
from selection.costs import ModelShape
from selection.costs.passes import passes_flops
from selection.embedding.build import distillation_flops, minilm_folder
from selection.embedding.flops import encoder_flops
from selection.models.base import load_tokenizer, save_checkpoint
from selection.models.batches import run_flops
from selection.models.examples import Example
from selection.models.recipe import Recipe
from selection.models.tokenizer import count_tokens, train_tokenizer
from selection.planning.arms import PoolSize, epoch_flops
from selection.planning.workload import (
    fine_tuning_flops,
    planned_evaluation_flops,
    pretraining_flops,
    warm_up_flops,
)

DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
TEXTS = sorted({text[:300] for text in DOCUMENTED if text})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
SHAPE = ModelShape(1, 16, 2, 2, 32, 400, 64, tied_embeddings=True)
EXAMPLES = [
    Example(str(n), text[: 30 * (n % 5 + 1)], label="ab"[n % 2]) for n, text in enumerate(TEXTS)
]


def study(**changes) -> Study:
    return Study.model_validate(
        {
            "name": "s",
            "pool": "p",
            "target": {
                "kind": "docstrings",
                "package": "http",
                "splits": {"train": 1, "dev": 1, "test": 2},
            },
            "embedder": {"name": "e", "model": {"kind": "static_minilm"}},
            "base_model": {
                "kind": "tiny",
                "width": 16,
                "layers": 1,
                "heads": 2,
                "ffn_width": 32,
                "vocabulary": 400,
                "sequence_length": 64,
                "training": {"epochs": 2, "batch_size": 8},
            },
            "methods": {"random": None},
            "budgets": [0.1],
            "seeds": [0, 1],
            "full_data_seeds": [0],
            **changes,
        }
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    model = study().base_model
    assert isinstance(model, TinyBase)
    save_checkpoint(tiny_model(model, 400), TOKENIZER, folder)
    return folder


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "training",
    [{"batch_size": 4, "epochs": 2}, {"batch_size": 7, "lora_rank": 2}],
    ids=["full", "lora"],
)
def test_an_arm_s_training_is_foreseen(training, seed, base, tmp_path):
    planned = study(warm_up=training, fine_tuning=training)
    arm = train_arm(
        base,
        TEXTS[:9],
        EXAMPLES,
        warm_up_recipe=planned.warm_up.recipe(seed=seed, precision="float32"),
        fine_tuning_recipe=planned.fine_tuning.recipe(seed=seed, precision="float32"),
        shape=SHAPE,
        accountant=planned.accountant,
        work_dir=tmp_path,
        device="cpu",
    )
    assert arm.warm_up is not None
    n_tokens = int(count_tokens(TOKENIZER, TEXTS[:9]).sum())
    assert warm_up_flops(planned, n_tokens, SHAPE) == arm.warm_up.flops
    foreseen = fine_tuning_flops(planned, TOKENIZER, EXAMPLES, SHAPE, seed=seed)
    assert foreseen == arm.fine_tuning.flops


def test_the_seed_decides_how_much_padding_is_computed_on():
    planned = study(fine_tuning={"batch_size": 3})
    foreseen = {
        fine_tuning_flops(planned, TOKENIZER, EXAMPLES, SHAPE, seed=seed) for seed in range(4)
    }
    assert len(foreseen) > 1


def test_pretraining_is_foreseen(tmp_path):
    model = study().base_model
    assert isinstance(model, TinyBase)
    phase = warm_up(
        tiny_model(model, 400),
        TOKENIZER,
        TEXTS,
        model.training.recipe(seed=0, precision="float32"),
        shape=SHAPE,
        accountant="dense",
        work_dir=tmp_path,
        device="cpu",
    )
    n_tokens = int(count_tokens(TOKENIZER, TEXTS).sum())
    assert pretraining_flops(model, n_tokens, SHAPE, "dense") == phase.flops


@pytest.mark.parametrize("labels", [[], ["a", "b"]])
def test_an_evaluation_is_foreseen(labels, base):
    passes = evaluate.evaluation_passes(load_tokenizer(base), EXAMPLES, labels, 64)
    charged = 2 * passes_flops(SHAPE, passes, accountant="detailed")
    foreseen = planned_evaluation_flops(TOKENIZER, EXAMPLES, labels, SHAPE, "detailed", n_models=2)
    assert foreseen == charged > 0


def test_warming_up_on_the_pool_is_one_epoch_of_the_plan():
    size = PoolSize(1000, 50_001, 40, 1e6, 1e3, 64)
    planned = study(warm_up={"epochs": 3})
    assert warm_up_flops(planned, size.tokens, SHAPE) == pytest.approx(
        epoch_flops(planned, SHAPE, size), rel=1e-12
    )
    assert warm_up_flops(planned, 0, SHAPE) == 0


@given(widths=st.lists(st.integers(1, 50), min_size=1, max_size=30), batch=st.integers(1, 8))
def test_padding_is_at_least_nothing_and_at_most_the_widest_row(widths, batch):
    tokens = run_flops(widths, Recipe(batch_size=batch, epochs=2), np.sum)
    assert 2 * sum(widths) <= tokens <= 2 * len(widths) * max(widths)
    assert run_flops(widths, Recipe(batch_size=1, epochs=2), np.sum) == 2 * sum(widths)


def test_a_distillation_is_charged_for_the_tokens_that_model2vec_keeps():
    # The distillation itself takes half a minute; it checks this very number when it runs.
    from model2vec.tokenizer import clean_and_create_vocabulary
    from skeletoken import TokenizerModel

    spec = EmbedderSpec.model_validate({"name": "static", "model": {"kind": "static_minilm"}})
    teacher = TokenizerModel.from_pretrained(str(minilm_folder())).prune_added_tokens()
    unused = re.compile(r"\[unused\d+\]")  # model2vec's default
    kept = clean_and_create_vocabulary(teacher, [], token_remove_regex=unused).sorted_vocabulary
    assert distillation_flops(spec) == encoder_flops(
        layers=6, width=384, ffn_width=1536, lengths=np.full(len(kept), 3)
    )


def test_fetching_an_embedder_computes_nothing():
    spec = EmbedderSpec.model_validate({"name": "minilm", "model": {"kind": "minilm"}})
    assert distillation_flops(spec) == 0
