"""FLOPs of a forward and of a backward pass, counted in the operations of a real model.

torch's `FlopCounterMode` counts while a model of the shape's kind runs on one text of
`sequence_length` tokens. Its tensors are fake: they have a size and no memory, so that 70B
parameters take seconds. (Bare ``meta`` tensors would do, but transformers asks for the autocast
state of their device, which torch refuses.)

Counted are matrix products: projections, feed-forward, output head, attention over the full square
of the text (no causal half), and the angles of rotary positions, which hardly weigh. Not counted
are look-ups, norms, activations, softmax, the loss and the optimiser. Attention is the eager one:
of torch's fused kernels the counter knows those of GPUs only, and would count none on a CPU.

With LoRA the base weights are frozen and a gradient is asked for at the output of every linear
layer but the head, which is what adapters ask for. The adapters themselves are left out, as in
every accountant: none knows their rank, and at rank r they add about ``r / d`` of a forward.

Of a mixture of experts the model has one feed-forward block as wide as the experts that a token
passes, and what its routers compute is added: which experts those are is no matter of shape.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from selection.costs.shape import ModelShape


@lru_cache(maxsize=64)
def measured_per_token(
    shape: ModelShape, *, backward: Literal["full", "frozen"] | None = None
) -> tuple[float, float]:
    """FLOPs per token of a forward and of a backward pass over `shape.sequence_length` tokens.

    Parameters
    ----------
    backward : {"full", "frozen"} or None
        With "frozen" gradients flow through frozen weights, and those of the weights are never
        formed; without a backward pass its FLOPs are 0.

    Raises
    ------
    ValueError
        For a shape that none of the known architectures has.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    # Initialising even fake weights may draw random numbers: the caller's are left alone.
    with torch.random.fork_rng(devices=[]), FakeTensorMode():
        model = _model(shape)
        if backward == "frozen":
            _freeze(model)
        ids = torch.zeros((1, shape.sequence_length), dtype=torch.long)
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(bool(backward)):
            # The first output: logits, or the hidden states of an encoder without a head.
            output = model(input_ids=ids, return_dict=False)[0]
            forward = counter.get_total_flops()
            if backward:
                output.sum().backward()
            both = counter.get_total_flops()
    routers = 2 * shape.layers * shape.width * shape.experts * shape.sequence_length
    if backward:
        both += (3 if backward == "full" else 2) * routers
    forward += routers
    if not backward:
        both = forward
    return forward / shape.sequence_length, (both - forward) / shape.sequence_length


def _model(shape: ModelShape) -> PreTrainedModel:
    """Give an untrained model of this shape, with the eager attention that is counted."""
    from transformers import AutoModel, AutoModelForCausalLM

    auto = AutoModelForCausalLM if shape.output_head else AutoModel
    return auto.from_config(_config(shape), attn_implementation="eager")


def _config(shape: ModelShape) -> Any:
    from transformers import BertConfig, GPTNeoXConfig, LlamaConfig

    sizes: dict[str, Any] = {
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.ffn_width,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.sequence_length,
        "tie_word_embeddings": shape.tied_embeddings,
        "pad_token_id": None,
    }
    if shape.gated_ffn or shape.head_width is not None:
        if not shape.gated_ffn:
            raise ValueError(
                "accountant `measured`: no known architecture has heads of their own width and two"
                " feed-forward matrices; use `detailed_gqa`"
            )
        if shape.attention_width // shape.heads % 2:
            raise ValueError(
                f"accountant `measured`: width {shape.width} over {shape.heads} heads is odd, and"
                " Llama's rotary positions need pairs; use `detailed`"
            )
        sizes |= {"num_key_value_heads": shape.kv_heads, "use_cache": False}
        return LlamaConfig(**sizes, head_dim=shape.attention_width // shape.heads)
    if shape.kv_heads != shape.heads:
        raise ValueError(
            "accountant `measured`: no known architecture has grouped queries"
            f" ({shape.kv_heads} of {shape.heads} heads) and two feed-forward matrices;"
            " use `detailed_gqa`"
        )
    if shape.output_head:
        return GPTNeoXConfig(**sizes, use_cache=False)
    return BertConfig(**sizes)


def _freeze(model: PreTrainedModel) -> None:
    """Freeze the weights and ask for gradients where LoRA's adapters do."""
    import torch

    model.requires_grad_(False)
    nothing = torch.zeros((), requires_grad=True)

    def adapted(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output + nothing

    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not model.get_output_embeddings():
            module.register_forward_hook(adapted)
