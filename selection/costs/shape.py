"""The sizes of a transformer that decide what its passes cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

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
        for field, size in vars(self).items():
            if not isinstance(size, bool) and size < 1:
                raise ValueError(f"ModelShape.{field} must be >= 1, got {size}")
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
