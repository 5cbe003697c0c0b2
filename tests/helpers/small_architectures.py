"""A small config of every kind of model whose cost is known."""

from typing import Any

import transformers

TOKENS = 48
SIZES: dict[str, Any] = dict(
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    vocab_size=200,
    max_position_embeddings=TOKENS,
    pad_token_id=None,
)
DENSE: dict[str, Any] = SIZES | {"intermediate_size": 160, "num_key_value_heads": 2}
EXPERTS: dict[str, Any] = SIZES | {"num_experts_per_tok": 2, "num_key_value_heads": 2}

CONFIGS: dict[str, Any] = {
    "llama": lambda: transformers.LlamaConfig(**DENSE),
    "mistral": lambda: transformers.MistralConfig(**DENSE, sliding_window=8),
    "qwen2": lambda: transformers.Qwen2Config(**DENSE),
    "qwen3": lambda: transformers.Qwen3Config(**DENSE, head_dim=32),
    "gemma": lambda: transformers.GemmaConfig(**DENSE, head_dim=32),
    "gemma2": lambda: transformers.Gemma2Config(**DENSE, head_dim=32),
    "gemma3_text": lambda: transformers.Gemma3TextConfig(**DENSE, head_dim=32),
    "phi3": lambda: transformers.Phi3Config(**DENSE),
    "olmo": lambda: transformers.OlmoConfig(**DENSE),
    "olmo2": lambda: transformers.Olmo2Config(**DENSE),
    "olmo3": lambda: transformers.Olmo3Config(**DENSE),
    "granite": lambda: transformers.GraniteConfig(**DENSE),
    "smollm3": lambda: transformers.SmolLM3Config(**DENSE),
    "stablelm": lambda: transformers.StableLmConfig(**DENSE, partial_rotary_factor=1.0),
    "cohere": lambda: transformers.CohereConfig(**DENSE),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**SIZES, intermediate_size=160),
    "gpt2": lambda: transformers.GPT2Config(
        n_embd=64, n_layer=2, n_head=4, n_positions=TOKENS, vocab_size=200
    ),
    "gptj": lambda: transformers.GPTJConfig(
        n_embd=64, n_layer=2, n_head=4, n_positions=TOKENS, vocab_size=200, rotary_dim=16
    ),
    "phi": lambda: transformers.PhiConfig(**SIZES, intermediate_size=160),
    "starcoder2": lambda: transformers.Starcoder2Config(**DENSE),
    "bert": lambda: transformers.BertConfig(**SIZES, intermediate_size=160),
    "mixtral": lambda: transformers.MixtralConfig(
        **EXPERTS, intermediate_size=96, num_local_experts=4
    ),
    "qwen2_moe": lambda: transformers.Qwen2MoeConfig(
        **EXPERTS, moe_intermediate_size=32, shared_expert_intermediate_size=96, num_experts=4
    ),
    "qwen3_moe": lambda: transformers.Qwen3MoeConfig(
        **EXPERTS, moe_intermediate_size=32, num_experts=8, head_dim=32
    ),
    "olmoe": lambda: transformers.OlmoeConfig(**EXPERTS, intermediate_size=32, num_experts=8),
}
MIXTURES = {"mixtral", "qwen2_moe", "qwen3_moe", "olmoe"}
