"""FLOPs: published figures, real parameter counts, refusals."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.costs import ModelShape, forward_flops, training_flops

LLAMA_7B = ModelShape(32, 4096, 32, 32, 11008, 32000, 4096)
LLAMA_13B = ModelShape(40, 5120, 40, 40, 13824, 32000, 4096)
LLAMA_70B = ModelShape(80, 8192, 64, 8, 28672, 32000, 4096)
POOL_TOKENS = 9.80e7


@pytest.mark.parametrize(
    ("shape", "published"), [(LLAMA_7B, 4.593e18), (LLAMA_13B, 8.638e18), (LLAMA_70B, 4.926e19)]
)
def test_one_epoch_costs_what_the_paper_published(shape, published):
    assert training_flops(shape, POOL_TOKENS) == pytest.approx(published, rel=1e-3)


def test_perplexity_selection_costs_what_the_paper_published():
    assert forward_flops(LLAMA_7B, POOL_TOKENS) == pytest.approx(1.531e18, rel=1e-3)


def test_gradient_selection_costs_what_the_paper_published():
    assert 5.4 * forward_flops(LLAMA_7B, POOL_TOKENS) == pytest.approx(8.269e18, rel=1e-3)


def test_the_published_70b_figure_ignores_grouped_query_attention():
    paper = training_flops(LLAMA_70B, POOL_TOKENS)
    real = training_flops(LLAMA_70B, POOL_TOKENS, accountant="detailed_gqa")
    assert training_flops(replace(LLAMA_70B, kv_heads=64), POOL_TOKENS) == paper
    assert real == pytest.approx(4.3714e19, rel=1e-4)
    assert forward_flops(LLAMA_7B, 1, accountant="detailed_gqa") == forward_flops(LLAMA_7B, 1)


def test_parameters_match_the_published_model_sizes():
    assert LLAMA_7B.parameters == pytest.approx(6.738e9, rel=1e-3)
    assert LLAMA_70B.parameters == pytest.approx(6.898e10, rel=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "llama_gqa_untied", "gpt_neox", "bert"])
def test_parameters_match_the_matrices_of_a_real_model(architecture):
    import transformers

    sizes: dict[str, Any] = dict(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=80,
        vocab_size=97,
        max_position_embeddings=64,
    )
    config = {
        "llama": lambda: transformers.LlamaConfig(**sizes, tie_word_embeddings=True),
        "llama_gqa_untied": lambda: transformers.LlamaConfig(**sizes, num_key_value_heads=2),
        "gpt_neox": lambda: transformers.GPTNeoXConfig(**sizes, tie_word_embeddings=False),
        "bert": lambda: transformers.BertConfig(**sizes),
    }[architecture]()
    auto = transformers.AutoModel if architecture == "bert" else transformers.AutoModelForCausalLM
    matrices = [
        weight.numel()
        for name, weight in auto.from_config(config).named_parameters()
        if weight.dim() == 2 and not any(w in name for w in ("position_", "token_type", "pooler"))
    ]
    shape = ModelShape.from_config(config)
    assert shape.parameters == sum(matrices)
    assert shape.sequence_length == 64
    assert ModelShape.from_config(config, sequence_length=16).sequence_length == 16


def test_a_headless_encoder_is_not_charged_for_logits():
    import transformers

    encoder = transformers.BertConfig(architectures=["BertModel"])
    masked = transformers.BertConfig(architectures=["BertForMaskedLM"])
    difference = forward_flops(ModelShape.from_config(masked), 1) - forward_flops(
        ModelShape.from_config(encoder), 1
    )
    assert difference == 4 * encoder.vocab_size * encoder.hidden_size


def test_detailed_agrees_with_flops_counted_in_a_real_forward():
    import torch
    import transformers
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.LlamaConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=160,
        vocab_size=128,
        max_position_embeddings=32,
        attn_implementation="eager",
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.zeros((1, 32), dtype=torch.long), use_cache=False)
    shape = ModelShape.from_config(config)
    # the paper's 4 V d also charges the embedding look-up, which multiplies nothing
    look_up = 2 * shape.vocabulary * shape.width * 32
    counted = forward_flops(shape, 32, accountant="detailed_gqa") - look_up
    assert counter.get_total_flops() == pytest.approx(counted, rel=0.01)


def test_an_unknown_accountant_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'sparse'.*dense.*detailed"):
        forward_flops(LLAMA_7B, 1, accountant="sparse")


@pytest.mark.parametrize("tokens", [-1, float("nan")])
def test_a_meaningless_number_of_tokens_is_refused(tokens):
    with pytest.raises(ValueError, match="tokens"):
        forward_flops(LLAMA_7B, tokens)


@pytest.mark.parametrize("change", [{"layers": 0}, {"heads": 33}, {"kv_heads": 5}])
def test_an_impossible_shape_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(LLAMA_7B, **change)


@given(
    tokens=st.integers(0, 10**12), accountant=st.sampled_from(["dense", "detailed", "detailed_gqa"])
)
def test_training_is_three_forwards_and_two_with_lora(tokens, accountant):
    forward = forward_flops(LLAMA_13B, tokens, accountant=accountant)
    assert training_flops(LLAMA_13B, tokens, accountant=accountant) == 3 * forward
    assert training_flops(LLAMA_13B, tokens, accountant=accountant, lora=True) == 2 * forward


def test_another_ratio_of_backward_to_forward_can_be_given():
    forward = forward_flops(LLAMA_7B, 10)
    assert training_flops(LLAMA_7B, 10, backward=0) == forward
    assert training_flops(LLAMA_7B, 10, backward=1.5, lora=True) == 2.5 * forward


@pytest.mark.parametrize("ratio", [-0.1, float("inf"), float("nan")])
def test_a_meaningless_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match="backward"):
        training_flops(LLAMA_7B, 1, backward=ratio)
