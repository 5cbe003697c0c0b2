"""Training learns, is deterministic, counts its tokens and survives a kill."""

import inspect
import math
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_project import Project

from selection.models.base import load_model, new_model, save_checkpoint, tiny_config
from selection.models.batches import training_order
from selection.models.checkpoints import MARKER, weights_digest
from selection.models.examples import Example, render_all
from selection.models.packing import pack
from selection.models.parallel.job import NonFiniteLoss
from selection.models.recipe import Recipe
from selection.models.tokenizer import tokenize, train_tokenizer
from selection.models.training import train

# the beginnings of real documentation; inspect.getdoc is None for an undocumented name
DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
TEXTS = sorted({text[:240] for text in DOCUMENTED if text})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
BLOCKS = pack(tokenize(TOKENIZER, TEXTS), block_size=32, eos_id=0, pad_id=1)
KILLED_RUN = Recipe(epochs=math.ceil(600 / len(BLOCKS.ids)), batch_size=4)  # some 150 steps


def model(architecture: Any = "llama"):
    config = tiny_config(
        architecture,
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=400,
        sequence_length=64,
    )
    return new_model(config, seed=0)


def run(trained, data, recipe, work_dir, **options):
    return train(trained, data, recipe, work_dir=work_dir, pad_id=1, device="cpu", **options)


def killed_run(work_dir):
    """Train as `KILLED_RUN` says; also the entry point of the process that the test kills."""
    trained = model()
    return run(trained, BLOCKS, KILLED_RUN, work_dir, save_steps=10), weights_digest(trained)


RECIPES = {
    "full": Recipe(epochs=8, batch_size=8, learning_rate=3e-3),
    "bfloat16": Recipe(epochs=8, batch_size=8, learning_rate=3e-3, precision="bfloat16"),
    "lora": Recipe(epochs=8, batch_size=8, learning_rate=1e-2, lora_rank=8),
}


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        *(("llama", name) for name in RECIPES),
        ("gpt_neox", "full"),
        pytest.param("gpt_neox", "bfloat16", marks=pytest.mark.slow),
        pytest.param("gpt_neox", "lora", marks=pytest.mark.slow),
    ],
)
def test_training_lowers_the_loss_and_repeats_exactly(architecture, name, tmp_path):
    recipe = RECIPES[name]
    first, second = model(architecture), model(architecture)
    result = run(first, BLOCKS, recipe, tmp_path / "a")
    again = run(second, BLOCKS, recipe, tmp_path / "b")
    losses = [loss for _, loss in result.losses]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.05
    assert result == again
    assert weights_digest(first) == weights_digest(second)


def test_the_reported_loss_is_the_model_s_own(tmp_path):
    trained = model()
    ids = torch.from_numpy(BLOCKS.ids[:1].astype(np.int64))
    with torch.no_grad():
        expected = trained(input_ids=ids, labels=ids).loss.item()
    one_row = pack([BLOCKS.ids[0].tolist()[:-1]], block_size=32, eos_id=BLOCKS.ids[0, -1], pad_id=1)
    result = run(trained, one_row, Recipe(), tmp_path)
    assert result.losses == [(1, pytest.approx(expected, rel=1e-5))]
    assert result.final_loss == result.losses[0][1]


def test_padding_does_not_change_the_loss(tmp_path):
    ids = BLOCKS.ids[0].tolist()
    mask = [1] * len(ids)
    short = (ids[:3], [0, 0, 1])
    both = run(model(), [(ids, mask), short], Recipe(batch_size=2), tmp_path / "both").final_loss
    long_alone = run(model(), [(ids, mask)], Recipe(), tmp_path / "long").final_loss
    short_alone = run(model(), [short], Recipe(), tmp_path / "short").final_loss
    # 31 and 1 predicted tokens: the batch's loss is their token-weighted mean
    assert both == pytest.approx((31 * long_alone + short_alone) / 32, rel=1e-5)


def test_tokens_are_counted_with_and_without_padding(tmp_path):
    result = run(model(), BLOCKS, Recipe(epochs=2, batch_size=8), tmp_path / "blocks")
    assert result.tokens == 2 * BLOCKS.n_tokens
    assert result.tokens_processed == 2 * BLOCKS.ids.size
    assert result.steps == len(result.losses) == -(-2 * len(BLOCKS.ids) // 8)
    rows = [([5] * 4, [1] * 4), ([6] * 10, [1] * 10)]
    result = run(model(), rows, Recipe(batch_size=2), tmp_path / "rows")
    assert (result.tokens, result.tokens_processed) == (14, 20)


def test_a_last_block_of_one_token_does_not_spoil_the_run(tmp_path):
    blocks = pack([[5] * 32], block_size=32, eos_id=0, pad_id=1)
    result = run(model(), blocks, Recipe(batch_size=1), tmp_path)
    assert sorted(loss > 0 for _, loss in result.losses) == [False, True]
    assert result.tokens == 33


@given(
    n_rows=st.integers(1, 30),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 9),
)
def test_the_order_visits_each_row_once_an_epoch(n_rows, epochs, batch_size):
    order, sizes = training_order(n_rows, Recipe(epochs=epochs, batch_size=batch_size, seed=0))
    assert sizes.sum() == len(order)
    assert (sizes >= 1).all() and (sizes <= batch_size).all()
    for row_numbers in order.reshape(epochs, n_rows):
        assert sorted(row_numbers) == list(range(n_rows))


def test_another_seed_takes_another_order():
    orders = [
        training_order(50, Recipe(epochs=1, batch_size=8, seed=seed))[0].tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_merged_lora_weights_load_as_a_plain_model(tmp_path):
    trained = model()
    run(trained, BLOCKS, Recipe(lora_rank=2, learning_rate=1e-2), tmp_path / "work")
    assert weights_digest(trained) != weights_digest(model())
    assert set(trained.state_dict()) == set(model().state_dict())
    assert all(weight.requires_grad for weight in trained.parameters())
    save_checkpoint(trained, TOKENIZER, tmp_path / "saved")
    assert weights_digest(load_model(tmp_path / "saved")) == weights_digest(trained)


def test_fine_tuning_on_labelled_examples_runs_after_a_warm_up(tmp_path):
    trained = model()
    run(trained, BLOCKS, Recipe(), tmp_path / "warm-up")
    examples = [Example(str(n), text, label="method") for n, text in enumerate(TEXTS)]
    dataset, _ = render_all(examples, TOKENIZER, 64)
    result = run(trained, dataset, Recipe(epochs=3, batch_size=8), tmp_path / "fine-tune")
    assert result.losses[-1][1] < result.losses[0][1]


def test_a_run_killed_in_mid_training_ends_with_the_same_weights(zygote, tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import pathlib, test_training\n"
        "test_training.killed_run(pathlib.Path(sys.argv[1]))\n"
    )
    run = zygote.start(Project(tmp_path), str(tmp_path / "killed"), script=script)
    while run.is_alive() and not list(tmp_path.glob(f"killed/*/{MARKER}")):
        time.sleep(0.01)
    run.kill()
    run.die()
    resumed, weights = killed_run(tmp_path / "killed")
    whole, expected = killed_run(tmp_path / "whole")
    assert 0 < resumed.tokens_resumed < whole.tokens_processed
    assert whole.tokens_resumed == 0
    assert weights == expected
    assert resumed.losses == whole.losses


@pytest.mark.parametrize(
    "recipe", [Recipe(epochs=3, batch_size=8), Recipe(epochs=3, batch_size=8, lora_rank=4)]
)
def test_a_checkpoint_that_was_not_finished_is_not_continued_from(recipe, tmp_path):
    first, second, third = model(), model(), model()
    whole = run(first, BLOCKS, recipe, tmp_path, save_steps=7)
    (newest,) = tmp_path.glob("checkpoint-*")
    resumed = run(second, BLOCKS, recipe, tmp_path, save_steps=7)
    steps = int(newest.name.removeprefix("checkpoint-"))
    assert resumed.tokens_resumed == steps * 8 * 32 > 0
    (newest / "optimizer.pt").write_bytes(b"half")
    fresh = run(third, BLOCKS, recipe, tmp_path, save_steps=7)
    assert fresh.tokens_resumed == 0
    assert whole.losses == resumed.losses == fresh.losses
    assert weights_digest(first) == weights_digest(second) == weights_digest(third)


def test_another_run_s_checkpoints_are_refused(tmp_path):
    run(model(), BLOCKS, Recipe(seed=0), tmp_path, save_steps=1)
    with pytest.raises(ValueError, match="belongs to another run"):
        run(model(), BLOCKS, Recipe(seed=1), tmp_path, save_steps=1)


def test_a_non_finite_loss_stops_with_its_step(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"at step [2-9]"):
        run(
            model(),
            BLOCKS,
            Recipe(epochs=4, batch_size=4, learning_rate=1e38, warmup_ratio=0.0),
            tmp_path,
        )


def test_training_leaves_the_determinism_setting_and_the_config_alone(tmp_path):
    trained = model()
    run(trained, BLOCKS, Recipe(precision="bfloat16"), tmp_path)
    assert not torch.are_deterministic_algorithms_enabled()
    assert trained.config.use_cache == model().config.use_cache
    assert not trained.training
    assert trained(input_ids=torch.zeros((1, 4), dtype=torch.long)).logits.dtype == torch.float32


@pytest.mark.parametrize(
    ("data", "message"),
    [([], "empty"), ([([3, 4], [1, 1]), ([3, 4], [1, 0])], "row 1 ")],
)
def test_data_with_nothing_to_train_on_is_refused(data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(model(), data, Recipe(), tmp_path)


def test_an_unknown_device_is_refused(tmp_path):
    with pytest.raises(ValueError, match="tpu"):
        train(model(), BLOCKS, Recipe(), work_dir=tmp_path, pad_id=1, device="tpu")


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"lora_rank": 0},
        {"learning_rate": 0.0},
        {"warmup_ratio": 1.5},
        {"precision": "float16"},
    ],
)
def test_a_recipe_that_cannot_train_is_refused_by_field(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Recipe(**setting)
