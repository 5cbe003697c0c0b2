"""The sizes of a transformer that decide what its passes cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.costs.architectures import read_sizes

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a transformer that decide its cost.

    Parameters
    ----------
    layers, width, heads, kv_heads, ffn_width, vocabulary : int
        Number of blocks L, hidden width d, query heads, key/value heads, d_ff, V. Of a mixture of
        experts d_ff is that of all experts that a token passes, one that all tokens pass included.
    sequence_length : int
        Tokens s that attend to each other; sets the ``4 s d`` attention term.
    gated_ffn : bool
        Three feed-forward matrices (``6 d d_ff``, Llama) or two (``4 d d_ff``, GPT-NeoX, BERT).
    output_head : bool
        False for an encoder that returns hidden states: it has no logits, so no ``4 V d``.
    tied_embeddings : bool
        Input and output embeddings share one matrix; counts in `parameters` only.
    head_width : int or None
        Width of a head where it is not d over the heads, as of Gemma and Qwen 3.
    experts : int
        Among how many a router chooses in each block; 0 without a mixture.
    resting_ffn_width : int
        d_ff of the experts of a block that a token does not pass; counts in `all_parameters` only.
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
    head_width: int | None = None
    experts: int = 0
    resting_ffn_width: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes that no model can have."""
        for field, size in vars(self).items():
            least = 0 if field in ("experts", "resting_ffn_width") else 1
            if size is not None and not isinstance(size, bool) and size < least:
                raise ValueError(f"ModelShape.{field} must be >= {least}, got {size}")
        if self.head_width is None and self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")

    @classmethod
    def from_config(
        cls, config: PretrainedConfig, sequence_length: int | None = None
    ) -> ModelShape:
        """Read the sizes from a transformers config.

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
            Naming a model type that `selection.costs.architectures` does not know.
        """
        sizes = read_sizes(config)
        if sequence_length is not None:
            sizes["sequence_length"] = sequence_length
        return cls(**sizes)

    @property
    def attention_width(self) -> int:
        """Width of all query heads together: d, but for models that say how wide a head is."""
        return self.width if self.head_width is None else self.heads * self.head_width

    @property
    def kv_width(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.attention_width * self.kv_heads // self.heads

    @property
    def parameters(self) -> int:
        """Parameters in matrices that a token passes; biases, norms, position tables left out."""
        attention = 2 * self.width * (self.attention_width + self.kv_width)
        ffn = self._matrices * self.width * self.ffn_width + self.width * self.experts
        embeddings = 1 + (self.output_head and not self.tied_embeddings)
        return self.layers * (attention + ffn) + embeddings * self.vocabulary * self.width

    @property
    def all_parameters(self) -> int:
        """The same with the experts that a token does not pass: what has to be stored."""
        resting = self._matrices * self.width * self.resting_ffn_width
        return self.parameters + self.layers * resting

    @property
    def _matrices(self) -> int:
        return 3 if self.gated_ffn else 2
