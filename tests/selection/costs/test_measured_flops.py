"""The measuring accountant: real models agree to the FLOP, formulas to what they leave out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from selection.costs import (
    ACCOUNTANTS,
    FULL_BACKWARD,
    LORA_BACKWARD,
    ModelShape,
    forward_flops,
    training_flops,
)

SIZES: dict[str, Any] = dict(
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=160,
    vocab_size=200,
    max_position_embeddings=48,
    attn_implementation="eager",
)
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "llama_gqa": lambda: transformers.LlamaConfig(**SIZES, num_key_value_heads=2),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**SIZES),
    "bert": lambda: transformers.BertConfig(**SIZES),
}
LLAMA_70B = ModelShape(80, 8192, 64, 8, 28672, 32000, 4096)
TOKENS = 48


def counted_in_a_real_model(name: str) -> tuple[float, float]:
    """Forward and backward FLOPs of a model with weights on one text."""
    auto = transformers.AutoModel if name == "bert" else transformers.AutoModelForCausalLM
    model = auto.from_config(CONFIGS[name]())
    with FlopCounterMode(display=False) as counter:
        output = model(input_ids=torch.zeros((1, TOKENS), dtype=torch.long), return_dict=False)[0]
        forward = counter.get_total_flops()
        output.sum().backward()
    return forward, counter.get_total_flops() - forward


@pytest.mark.parametrize("name", CONFIGS)
def test_it_counts_exactly_what_a_real_model_computes(name):
    shape = ModelShape.from_config(CONFIGS[name]())
    forward, backward = counted_in_a_real_model(name)
    measured = forward_flops(shape, TOKENS, accountant="measured")
    assert measured == pytest.approx(forward, rel=1e-12)
    assert training_flops(shape, TOKENS, accountant="measured") - measured == pytest.approx(
        backward, rel=1e-12
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_it_agrees_with_the_formula_but_for_rotary_angles_and_a_pooler(name):
    shape = ModelShape.from_config(CONFIGS[name]())
    formula = forward_flops(shape, 1, accountant="detailed_gqa")
    # the paper's 4 V d charges the look-up too, which multiplies nothing
    formula -= 2 * shape.vocabulary * shape.width if shape.output_head else 0
    # 16 angles a token against 3e5; BERT's pooler multiplies one token of 48: 2 d^2 / 48
    assert forward_flops(shape, 1, accountant="measured") == pytest.approx(formula, rel=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_full_backward_measures_two_forwards(name):
    shape = ModelShape.from_config(CONFIGS[name]())
    forward = forward_flops(shape, 1, accountant="measured")
    backward = training_flops(shape, 1, accountant="measured") - forward
    assert backward / forward == pytest.approx(FULL_BACKWARD, rel=0.01)


@pytest.mark.parametrize("name", ["llama", "llama_gqa", "gpt_neox"])
def test_with_lora_weight_products_cost_one_more_forward_and_attention_two(name):
    shape = ModelShape.from_config(CONFIGS[name]())
    forward = forward_flops(shape, 1, accountant="measured")
    attention = 4 * shape.layers * shape.sequence_length * shape.width
    # below the first queries, keys and values nothing is trained, and GPT-NeoX's first
    # feed-forward block reads the same rows beside them
    first = 2 * shape.width**2 * (1 + 2 * shape.kv_heads / shape.heads)
    first += 2 * shape.width * shape.ffn_width if name == "gpt_neox" else 0
    backward = training_flops(shape, 1, accountant="measured", lora=True) - forward
    assert backward == pytest.approx(forward + attention - first, rel=0.01)


def test_what_is_left_out_of_lora_is_its_adapters(tmp_path):
    from peft import LoraConfig, get_peft_model

    rank = 2
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS["llama"]())
    options: Any = dict(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, LoraConfig(**options))
    with FlopCounterMode(display=False) as counter:
        ids = torch.zeros((1, TOKENS), dtype=torch.long)
        adapted(input_ids=ids, return_dict=False)[0].sum().backward()
    shape = ModelShape.from_config(CONFIGS["llama"]())
    d, ffn = shape.width, shape.ffn_width
    adapters = 2 * rank * shape.layers * (4 * 2 * d + 3 * (d + ffn)) * TOKENS
    known = training_flops(shape, TOKENS, accountant="measured", lora=True)
    # forward, gradient of the weights, and for all but the first block's inputs of the rows
    assert known + 2 * adapters < counter.get_total_flops() <= known + 3 * adapters


@pytest.mark.slow
def test_lora_on_70b_measures_about_one_forward():
    forward = forward_flops(LLAMA_70B, 1, accountant="measured")
    both = training_flops(LLAMA_70B, 1, accountant="measured", lora=True)
    # attention, 7 % of it at 4,096 tokens, has two factors and costs two
    assert both / forward - 1 == pytest.approx(LORA_BACKWARD, rel=0.08)


def test_70b_parameters_take_no_memory_and_agree_with_the_formula():
    formula = forward_flops(LLAMA_70B, 1, accountant="detailed_gqa")
    look_up = 2 * LLAMA_70B.vocabulary * LLAMA_70B.width
    measured = forward_flops(LLAMA_70B, 1, accountant="measured")
    assert measured == pytest.approx(formula - look_up, rel=1e-6)


def test_a_given_ratio_replaces_the_measured_one():
    shape = ModelShape.from_config(CONFIGS["llama"]())
    forward = forward_flops(shape, 10, accountant="measured")
    assert training_flops(shape, 10, accountant="measured", backward=1.5) == 2.5 * forward


def test_the_caller_s_random_numbers_are_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    forward_flops(ModelShape(1, 16, 2, 2, 32, 50, 8), 1, accountant="measured")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"gated_ffn": False, "kv_heads": 2}, "grouped queries"), ({"width": 20}, "is odd")],
)
def test_a_shape_without_a_known_architecture_is_refused_with_a_remedy(change, message):
    shape = replace(ModelShape(1, 64, 4, 4, 32, 50, 8), **change)
    with pytest.raises(ValueError, match=f"{message}.*use `detailed"):
        forward_flops(shape, 1, accountant="measured")


def test_it_is_among_the_names_for_configuration():
    assert set(ACCOUNTANTS) == {"dense", "detailed", "detailed_gqa", "measured"}
