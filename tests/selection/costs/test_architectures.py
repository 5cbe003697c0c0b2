"""Sizes are read from the configs of many kinds of models, and cost what torch counts in them."""

from typing import Any

import pytest
import torch
import transformers
from small_architectures import CONFIGS, EXPERTS, MIXTURES, TOKENS
from torch.utils.flop_counter import FlopCounterMode

from selection.costs import ModelShape, forward_flops, training_flops
from selection.costs.architectures import GATED


def small_model(name: str) -> Any:
    config = CONFIGS[name]()
    auto = transformers.AutoModel if name == "bert" else transformers.AutoModelForCausalLM
    options = {"experts_implementation": "eager"} if name in MIXTURES else {}
    return auto.from_config(config, attn_implementation="eager", **options)


def counted(name: str) -> tuple[float, float]:
    """Forward and backward FLOPs that torch counts in a model with weights."""
    model = small_model(name)
    with FlopCounterMode(display=False) as counter:
        output = model(input_ids=torch.zeros((1, TOKENS), dtype=torch.long), return_dict=False)[0]
        forward = counter.get_total_flops()
        output.sum().backward()
    return forward, counter.get_total_flops() - forward


def test_every_known_kind_is_tried():
    assert CONFIGS.keys() == GATED.keys()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_forward_and_a_backward_cost_what_torch_counts(name):
    """But for the look-up, which the formula charges as the paper does, and rotary angles."""
    shape = ModelShape.from_config(CONFIGS[name]())
    forward, backward = counted(name)
    formula = forward_flops(shape, TOKENS, accountant="detailed_gqa")
    formula -= 2 * shape.vocabulary * shape.width * TOKENS if shape.output_head else 0
    assert forward == pytest.approx(formula, rel=2e-3)
    assert backward == pytest.approx(2 * formula, rel=0.02)
    if name != "starcoder2":  # which has a shape of its own
        measured = forward_flops(shape, TOKENS, accountant="measured")
        assert measured == pytest.approx(forward, rel=2e-3)
        both = training_flops(shape, TOKENS, accountant="measured")
        assert both == pytest.approx(forward + backward, rel=0.01)


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_those_of_the_matrices_and_of_experts_only_those_passed(name):
    shape, model = ModelShape.from_config(CONFIGS[name]()), small_model(name)
    table = ("position", "token_type", "pooler", "wpe")
    matrices = {
        label: weight
        for label, weight in model.named_parameters()
        if weight.dim() >= 2 and not any(word in label for word in table)
    }
    stored = sum(weight.numel() for weight in matrices.values())
    assert shape.all_parameters == stored
    of_experts = sum(weight.numel() for weight in matrices.values() if weight.dim() == 3)
    experts = 8 if name in ("qwen3_moe", "olmoe") else 4
    assert shape.parameters == stored - of_experts * (experts - 2) // experts
    assert (of_experts > 0) == (name in MIXTURES)


def test_what_has_no_known_shape_is_refused_by_name():
    with pytest.raises(ValueError, match=r"model type 'mamba'; known: bert, .*qwen3_moe"):
        ModelShape.from_config(transformers.MambaConfig())
    with pytest.raises(ValueError, match=r"'gemma3'.*such as the 'gemma3_text' within it"):
        ModelShape.from_config(transformers.Gemma3Config())
    mixed = transformers.Qwen2MoeConfig(**EXPERTS, num_experts=4, mlp_only_layers=[0])
    with pytest.raises(ValueError, match=r"this 'qwen2_moe': some of its blocks .*mlp_only_layers"):
        ModelShape.from_config(mixed)
