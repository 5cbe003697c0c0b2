"""The selector with LoRA adapters, whose weights are the only ones that gradients are taken of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from selection.costs import ModelShape


@dataclass(frozen=True)
class Adapted:
    """A frozen decoder with adapters on all its linear layers but the output head.

    Attributes
    ----------
    model : in evaluation mode; its own adapters' weights are never changed.
    shapes : adapters' names, sorted, to the shapes of their weights: the layout of flat vectors.
    """

    model: torch.nn.Module
    shapes: dict[str, tuple[int, ...]]
    device: str

    @property
    def size(self) -> int:
        """P, the length of a flat vector of all adapters' weights."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def initial_weights(self) -> torch.Tensor:
        """Give a copy of the weights that the adapters were made with: (P,) float32."""
        parameters = dict(self.model.named_parameters())
        return self.flat({name: parameters[name].detach() for name in self.shapes})

    def named(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give views of a flat vector (P,) by the adapters' names."""
        pieces = flat.split([math.prod(shape) for shape in self.shapes.values()])
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def flat(self, named: Mapping[str, torch.Tensor], *, batched: bool = False) -> torch.Tensor:
        """Join weights or gradients into (P,); with a leading axis of n rows into (n, P)."""
        import torch

        return torch.cat([named[name].flatten(int(batched)) for name in self.shapes], dim=-1)


def adapt(folder: Path, *, rank: int, seed: int, device: str) -> Adapted:
    """Load a decoder and give it adapters, alpha twice the rank, without dropout.

    The adapters depend on the decoder's shape, the rank and the seed only; the caller's random
    state is left as it was. Attention is the eager one, which can be differentiated row by row.

    Raises
    ------
    ValueError
        As `selection.models.base.load_model`.
    """
    from selection.models.base import load_model, with_adapters

    base = load_model(folder)
    base.set_attn_implementation("eager")
    model = with_adapters(base, rank=rank, seed=seed)
    model.eval().to(device)
    trained = {n: tuple(p.shape) for n, p in model.named_parameters() if p.requires_grad}
    return Adapted(model, dict(sorted(trained.items())), device)


def adapter_weights(shape: ModelShape, rank: int) -> int:
    """Weights of all adapters, before the model is loaded: P of `Adapted.size`.

    Parameters
    ----------
    shape : of a Llama (gated feed-forward, query, key and value apart) or a GPT-NeoX (neither).
    """
    d, ffn, a, kv = shape.width, shape.ffn_width, shape.attention_width, shape.kv_width
    attention = 2 * (d + a) + 2 * (d + kv) if shape.gated_ffn else (d + 3 * d) + (d + d)
    feed_forward = (3 if shape.gated_ffn else 2) * (d + ffn)
    return rank * shape.layers * (attention + feed_forward)
