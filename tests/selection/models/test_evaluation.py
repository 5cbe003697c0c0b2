"""Losses do not depend on batching; labels are scored as a naive loop would."""

import inspect
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.models.base import new_model, tiny_config
from selection.models.batches import length_batches
from selection.models.evaluation import (
    accuracy_and_macro_f1,
    bits_per_byte,
    classify,
    evaluate,
    label_scores,
)
from selection.models.examples import Example, render_all
from selection.models.packing import pack
from selection.models.recipe import Recipe
from selection.models.tokenizer import tokenize, train_tokenizer
from selection.models.training import train

# the beginnings of real documentation; inspect.getdoc is None for an undocumented name
DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
TEXTS = sorted({text[:160] for text in DOCUMENTED if text})
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)
EXAMPLES = [
    *(Example(f"p{n}", text) for n, text in enumerate(TEXTS[:8])),
    *(Example(f"l{n}", text, label="method") for n, text in enumerate(TEXTS[:4])),
    *(Example(f"g{n}", t, prompt=t, response=TEXTS[n + 1]) for n, t in enumerate(TEXTS[:4])),
]
LABELS = ["a", "a longer label of many tokens", "method", "method of a class"]


def tiny_model(architecture):
    config = tiny_config(
        architecture,
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=400,
        sequence_length=256,
    )
    return new_model(config, seed=0)


@pytest.fixture(scope="module", params=["llama", "gpt_neox"])
def model(request, tmp_path_factory):
    trained = tiny_model(request.param)
    blocks = pack(tokenize(TOKENIZER, TEXTS), block_size=32, eos_id=0, pad_id=1)
    recipe = Recipe(epochs=10, batch_size=4, learning_rate=3e-3)
    work_dir = tmp_path_factory.mktemp("work")
    train(trained, blocks, recipe, work_dir=work_dir, pad_id=1, device="cpu")
    return trained


def naive_nll(model, context, continuation):
    """One sequence at a time, one token after the other, in float64."""
    ids = torch.tensor([[*context, *continuation]])
    with torch.no_grad():
        log_p = model(input_ids=ids).logits[0].double().log_softmax(-1)
    return -sum(log_p[len(context) + n - 1, token].item() for n, token in enumerate(continuation))


def test_losses_equal_a_loop_over_single_sequences(model):
    losses = evaluate(model, TOKENIZER, EXAMPLES, max_length=256, device="cpu")
    for n, example in enumerate(EXAMPLES):
        if example.prompt is not None and example.response is not None:
            prompt, middle = tokenize(TOKENIZER, [example.prompt, "\n\n"])
            context, counted = [0, *prompt, *middle], example.response
        else:
            context, counted = [0], example.text
        (continuation,) = tokenize(TOKENIZER, [counted])
        assert losses.row_id[n] == example.row_id
        assert losses.n_tokens[n] == len(continuation)
        assert losses.n_bytes[n] == len(counted.encode())
        assert losses.nll[n] == pytest.approx(naive_nll(model, context, continuation), rel=1e-5)
    assert not losses.n_truncated.any()
    assert losses.nll.dtype == np.float64


@settings(deadline=None, max_examples=15)
@given(batch_tokens=st.integers(1, 2000), order=st.permutations(range(len(EXAMPLES))))
def test_losses_do_not_depend_on_batches_padding_or_order(model, batch_tokens, order):
    expected = evaluate(model, TOKENIZER, EXAMPLES, max_length=128, device="cpu")
    shuffled = [EXAMPLES[n] for n in order]
    losses = evaluate(
        model, TOKENIZER, shuffled, max_length=128, batch_tokens=batch_tokens, device="cpu"
    )
    np.testing.assert_allclose(losses.nll, expected.nll[order], rtol=1e-4)
    np.testing.assert_array_equal(losses.row_id, expected.row_id[order])


def test_truncated_examples_are_counted_and_measured_on_what_is_left(model):
    losses = evaluate(model, TOKENIZER, EXAMPLES[:8], max_length=10, device="cpu")
    full = evaluate(model, TOKENIZER, EXAMPLES[:8], max_length=256, device="cpu")
    assert losses.n_truncated.all()
    np.testing.assert_array_equal(losses.n_tokens + losses.n_truncated, full.n_tokens)
    assert (losses.n_bytes < full.n_bytes).all()


def test_a_trained_model_predicts_text_better_than_a_new_one(model):
    untrained = new_model(model.config, seed=1)
    after, before = (
        evaluate(m, TOKENIZER, EXAMPLES, max_length=256, device="cpu") for m in (model, untrained)
    )
    assert bits_per_byte(after.nll, after.n_bytes) < bits_per_byte(before.nll, before.n_bytes)
    uniform = np.log(400) * before.n_tokens
    np.testing.assert_allclose(before.nll, uniform, rtol=0.1)


@pytest.mark.parametrize("batch_tokens", [1, 300, 100_000])
def test_label_scores_equal_a_loop_over_whole_sequences(model, batch_tokens):
    scores = label_scores(
        model,
        TOKENIZER,
        EXAMPLES[:6],
        LABELS,
        max_length=256,
        device="cpu",
        batch_tokens=batch_tokens,
    )
    (marker,) = tokenize(TOKENIZER, ["\n\nLabel:"])
    naive = [
        [
            -naive_nll(model, [0, *text, *marker], [*tokenize(TOKENIZER, [f" {label}"])[0], 0])
            for label in LABELS
        ]
        for text in tokenize(TOKENIZER, [example.text for example in EXAMPLES[:6]])
    ]
    np.testing.assert_allclose(scores, naive, rtol=1e-5)


def test_a_model_trained_on_labels_tells_them_apart(tmp_path):
    examples = [
        Example(str(n), f"{word} {text[:12]}", label=f"about {word}")
        for n, text in enumerate(TEXTS)
        for word in ("mean", "variance")
    ]
    names = ["about mean", "about variance"]
    dataset, _ = render_all(examples, TOKENIZER, 32)
    # loss on the label's last word and the end only: so tiny a model then needs few steps
    dataset = [(ids, [0] * (len(ids) - 2) + [1, 1]) for ids, _ in dataset]
    trained = tiny_model("llama")
    recipe = Recipe(epochs=20, batch_size=8, learning_rate=3e-3)
    train(trained, dataset, recipe, work_dir=tmp_path, pad_id=1, device="cpu")
    predicted = classify(trained, TOKENIZER, examples, names, max_length=32, device="cpu")
    accuracy, macro_f1 = accuracy_and_macro_f1([e.label or "" for e in examples], predicted)
    assert accuracy > 0.9
    assert macro_f1 > 0.9


def test_long_texts_leave_room_for_the_longest_label(model):
    longest = max(map(len, tokenize(TOKENIZER, [f" {label}" for label in LABELS])))
    marker = len(tokenize(TOKENIZER, ["\n\nLabel:"])[0])
    shortest = longest + marker + 3
    predicted = classify(model, TOKENIZER, EXAMPLES[:3], LABELS, max_length=shortest, device="cpu")
    assert set(predicted) <= set(LABELS)
    with pytest.raises(ValueError, match="no room"):
        classify(model, TOKENIZER, EXAMPLES, LABELS, max_length=shortest - 1, device="cpu")


@pytest.mark.parametrize("labels", [[], ["x", "x"]])
def test_labels_that_cannot_be_told_apart_are_refused(model, labels):
    with pytest.raises(ValueError, match="distinct"):
        classify(model, TOKENIZER, EXAMPLES, labels, max_length=64, device="cpu")


def test_an_empty_text_is_refused_by_row(model):
    with pytest.raises(ValueError, match="row r9"):
        evaluate(model, TOKENIZER, [Example("r9", "")], max_length=64, device="cpu")


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 200))
def test_length_batches_cover_every_example_once_within_the_limit(lengths, batch_tokens):
    batches = list(length_batches(lengths, batch_tokens))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[n] for n in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_tokens


def test_macro_f1_weighs_every_label_alike_and_admits_an_unseen_one():
    accuracy, macro_f1 = accuracy_and_macro_f1(["a", "a", "a", "new"], ["a", "a", "a", "a"])
    assert accuracy == 0.75
    assert macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_a_uniform_byte_costs_eight_bits():
    assert bits_per_byte([10 * np.log(256), 0.0], [10, 0]) == pytest.approx(8.0)
