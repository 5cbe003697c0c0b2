"""The loss of a text is that of EleutherAI's harness, which rolls through it."""

import inspect
import statistics

import numpy as np
import pytest

from selection.models.base import new_model, tiny_config
from selection.models.evaluation import evaluate
from selection.models.examples import Example
from selection.models.tokenizer import train_tokenizer

DOCUMENTED = [inspect.getdoc(getattr(statistics, name)) for name in statistics.__all__]
TEXTS = sorted({text[:300] for text in DOCUMENTED if text})[:12]


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_losses_are_those_of_the_harness(architecture):
    huggingface = pytest.importorskip("lm_eval.models.huggingface", reason="no extra `lm-eval`")
    from lm_eval.api.instance import Instance

    config = tiny_config(
        architecture,
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=400,
        sequence_length=512,
    )
    model, tokenizer = new_model(config, seed=0).eval(), train_tokenizer(TEXTS, vocab_size=400)
    harness = huggingface.HFLM(
        model, backend="causal", tokenizer=tokenizer, max_length=512, batch_size=1, device="cpu"
    )
    requests = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in TEXTS]
    theirs = harness.loglikelihood_rolling(requests, disable_tqdm=True)
    examples = [Example(str(n), text) for n, text in enumerate(TEXTS)]
    ours = evaluate(model, tokenizer, examples, max_length=512, device="cpu")
    np.testing.assert_allclose(ours.nll, [-found for found in theirs], rtol=1e-5)
