"""How many FLOPs a forward or a training pass costs, before it has run.

Four named accountants answer; every figure that is stored must say which one was used.

``dense``
    ``2 N`` per token, N = all matrix parameters of the model.
``detailed``
    ``L [8 d^2 + 6 d d_ff + 4 s d] + 4 V d`` per token (CCDS, arXiv 2410.16208). The paper charges
    grouped-query models as if every query head had its own keys and values: only so does its
    70B figure (4.926e19 for one epoch) come out, and so this accountant ignores ``kv_heads``.
``detailed_gqa``
    The same with the key and value projections at their real size (11 % less for Llama-2 70B).
``measured``
    What torch counts in a model of this shape while it runs (`selection.measured_flops`): about
    `detailed_gqa` without the look-up of the embeddings, which multiplies nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.measured_flops import backward_per_token, forward_per_token

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FULL_BACKWARD = 2.0
"""Forwards that a backward pass costs when every weight is trained."""

LORA_BACKWARD = 1.0
"""With frozen base weights, whose gradients are never formed."""

# model type of a transformers config -> does its feed-forward block have a third (gate) matrix
_GATED_FFN = {"llama": True, "gpt_neox": False, "bert": False}


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a transformer that decide its cost.

    Parameters
    ----------
    layers, width, heads, kv_heads, ffn_width, vocabulary : int
        Number of blocks L, hidden width d, query heads, key/value heads, d_ff, V.
    sequence_length : int
        Tokens s that attend to each other; sets the ``4 s d`` attention term.
    gated_ffn : bool
        Three feed-forward matrices (``6 d d_ff``, Llama) or two (``4 d d_ff``, GPT-NeoX, BERT).
    output_head : bool
        False for an encoder that returns hidden states: it has no logits, so no ``4 V d``.
    tied_embeddings : bool
        Input and output embeddings share one matrix; counts in `parameters` only.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    ffn_width: int
    vocabulary: int
    sequence_length: int
    gated_ffn: bool = True
    output_head: bool = True
    tied_embeddings: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that no model can have."""
        for field in (
            "layers",
            "width",
            "heads",
            "kv_heads",
            "ffn_width",
            "vocabulary",
            "sequence_length",
        ):
            if getattr(self, field) < 1:
                raise ValueError(f"ModelShape.{field} must be >= 1, got {getattr(self, field)}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")

    @classmethod
    def from_config(
        cls, config: PretrainedConfig, sequence_length: int | None = None
    ) -> ModelShape:
        """Read the sizes from a transformers config (llama, gpt_neox or bert).

        Parameters
        ----------
        config : PretrainedConfig
            A BERT config whose `architectures` names no ``...For...`` class is taken as a headless
            encoder, as sentence embedders are.
        sequence_length : int, optional
            Defaults to the longest sequence the model admits.

        Raises
        ------
        ValueError
            For another model type, or when the attention width is not the hidden width.
        """
        model_type = str(config.model_type)
        if model_type not in _GATED_FFN:
            raise ValueError(
                f"cannot read the cost of model type {model_type!r}; known: {sorted(_GATED_FFN)}. "
                "Build a ModelShape by hand instead."
            )
        heads = config.num_attention_heads
        if (getattr(config, "head_dim", None) or config.hidden_size // heads) * heads != (
            config.hidden_size
        ):
            raise ValueError(
                f"head_dim {config.head_dim} x {heads} heads is not the hidden width "
                f"{config.hidden_size}: the formulas here do not cover such a model"
            )
        heads_named = [name for name in config.architectures or [] if "For" in name]
        return cls(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            heads=heads,
            kv_heads=getattr(config, "num_key_value_heads", None) or heads,
            ffn_width=config.intermediate_size,
            vocabulary=config.vocab_size,
            sequence_length=sequence_length or config.max_position_embeddings,
            gated_ffn=_GATED_FFN[model_type],
            output_head=model_type != "bert" or bool(heads_named),
            tied_embeddings=bool(getattr(config, "tie_word_embeddings", False)),
        )

    @property
    def parameters(self) -> int:
        """Parameters in matrices; biases, norms and BERT's position table are left out."""
        attention = self.width**2 * 2 + 2 * self.width * (self.width * self.kv_heads // self.heads)
        ffn = (3 if self.gated_ffn else 2) * self.width * self.ffn_width
        embeddings = 1 + (self.output_head and not self.tied_embeddings)
        return self.layers * (attention + ffn) + embeddings * self.vocabulary * self.width


def _dense(shape: ModelShape) -> float:
    return 2.0 * shape.parameters


def _detailed(shape: ModelShape, *, kv_share: float = 1.0) -> float:
    d = shape.width
    attention = (4 + 4 * kv_share) * d**2 + 4 * shape.sequence_length * d
    ffn = (6 if shape.gated_ffn else 4) * d * shape.ffn_width
    head = 4 * shape.vocabulary * d if shape.output_head else 0
    return float(shape.layers * (attention + ffn) + head)


def _detailed_gqa(shape: ModelShape) -> float:
    return _detailed(shape, kv_share=shape.kv_heads / shape.heads)


_FORWARD_PER_TOKEN: dict[str, Callable[[ModelShape], float]] = {
    "dense": _dense,
    "detailed": _detailed,
    "detailed_gqa": _detailed_gqa,
    "measured": forward_per_token,
}

ACCOUNTANTS = tuple(_FORWARD_PER_TOKEN)
"""Names that `accountant` may have."""


def forward_flops(shape: ModelShape, tokens: float, *, accountant: str = "detailed") -> float:
    """FLOPs of one forward pass over `tokens` tokens.

    Parameters
    ----------
    shape : ModelShape
        The model.
    tokens : float
        Tokens processed, padding included when it is computed on.
    accountant : {"dense", "detailed", "detailed_gqa", "measured"}
        See the module's docstring.

    Raises
    ------
    ValueError
        For an unknown accountant or a negative number of tokens.
    """
    if accountant not in ACCOUNTANTS:
        raise ValueError(f"unknown accountant {accountant!r}; known: {', '.join(ACCOUNTANTS)}")
    # `not >=` also refuses NaN, which would pass every later comparison with a budget
    if not tokens >= 0:
        raise ValueError(f"tokens must be >= 0, got {tokens}")
    return _FORWARD_PER_TOKEN[accountant](shape) * tokens


def training_flops(
    shape: ModelShape,
    tokens: float,
    *,
    accountant: str = "detailed",
    lora: bool = False,
    backward: float | None = None,
) -> float:
    """FLOPs of one forward and backward pass over `tokens` tokens.

    Parameters
    ----------
    shape, tokens, accountant
        As in `forward_flops`; for several epochs multiply `tokens`.
    lora : bool
        Frozen base weights.
    backward : float, optional
        The backward pass in forwards. By default `FULL_BACKWARD`, or `LORA_BACKWARD` with LoRA;
        the accountant `measured` measures it instead.

    Raises
    ------
    ValueError
        As `forward_flops`, and for a `backward` that is negative or not finite.
    """
    forward = forward_flops(shape, tokens, accountant=accountant)
    if backward is None and accountant == "measured":
        return forward + backward_per_token(shape, lora=lora) * tokens
    if backward is None:
        backward = LORA_BACKWARD if lora else FULL_BACKWARD
    if not 0 <= backward < math.inf:
        raise ValueError(f"backward must be a finite number of forwards >= 0, got {backward}")
    return (1 + backward) * forward
