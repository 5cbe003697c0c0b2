"""Where does each kind of model keep the sizes that its cost depends on?

A model type is known here when torch has counted in a small model of it what the formulas say
(`tests/selection/costs/test_architectures.py`). Of any other one nobody knows what its config
leaves out: a second kind of block, an expert that all tokens pass, a matrix that two blocks share.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

GATED: Mapping[str, bool] = MappingProxyType(
    {
        **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3", "granite"), True),
        **dict.fromkeys(("gemma", "gemma2", "gemma3_text"), True),
        **dict.fromkeys(("phi3", "olmo", "olmo2", "olmo3", "stablelm", "cohere"), True),
        **dict.fromkeys(("gpt_neox", "gpt2", "gptj", "phi", "starcoder2", "bert"), False),
        **dict.fromkeys(("mixtral", "qwen2_moe", "qwen3_moe", "olmoe"), True),
    }
)
"""Model type: whether its feed-forward block has a third matrix, a gate."""

_EXPERTS = ("num_local_experts", "num_experts")
"""What configs call the number of experts; those of a token are `num_experts_per_tok`."""


def read_sizes(config: PretrainedConfig) -> dict[str, Any]:
    """Return what `selection.costs.shape.ModelShape` is made of.

    Raises
    ------
    ValueError
        Naming the model type, where it is not known, or some of its blocks differ from others.
    """
    kind = str(config.model_type)
    if kind not in GATED:
        within = getattr(config, "text_config", None)
        text = f", such as the {within.model_type!r} within it" if within is not None else ""
        raise ValueError(
            f"cannot read the cost of model type {kind!r}; known: {', '.join(sorted(GATED))}. Take"
            f" a model of these{text}, or build a ModelShape by hand"
        )
    width, heads = config.hidden_size, config.num_attention_heads
    head_width = getattr(config, "head_dim", None)
    named = [name for name in config.architectures or [] if "For" in name]
    return {
        "layers": config.num_hidden_layers,
        "width": width,
        "heads": heads,
        "kv_heads": getattr(config, "num_key_value_heads", None) or heads,
        "vocabulary": config.vocab_size,
        "sequence_length": config.max_position_embeddings,
        "gated_ffn": GATED[kind],
        "output_head": kind != "bert" or bool(named),
        "tied_embeddings": bool(getattr(config, "tie_word_embeddings", False)),
        "head_width": None if head_width is None or head_width * heads == width else head_width,
        **_feed_forward(config, kind),
    }


def _feed_forward(config: PretrainedConfig, kind: str) -> dict[str, int]:
    """Width of a block's feed-forward part: of the experts that a token passes, if it has any."""
    experts = next((count for name in _EXPERTS if (count := getattr(config, name, None))), None)
    if experts is None:
        wide = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
        return {"ffn_width": wide or 4 * config.hidden_size}
    dense = list(getattr(config, "mlp_only_layers", None) or [])
    if dense or getattr(config, "decoder_sparse_step", 1) != 1:
        raise ValueError(
            f"cannot read the cost of this {kind!r}: some of its blocks have experts and some have"
            " none (`mlp_only_layers`, `decoder_sparse_step`); build a ModelShape by hand"
        )
    one = getattr(config, "moe_intermediate_size", None) or config.intermediate_size
    passed = config.num_experts_per_tok
    always = getattr(config, "shared_expert_intermediate_size", None) or 0
    return {
        "ffn_width": passed * one + always,
        # a shared expert has a gate of one number beside the router's
        "experts": experts + bool(always),
        "resting_ffn_width": (experts - passed) * one,
    }
