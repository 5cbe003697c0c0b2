"""A BERT-shaped encoder over packed texts: no padding, or next to none, and few kernel calls.

Everything but attention treats tokens one by one, so a batch is one long row of tokens whatever
the lengths of its texts. Attention runs once for each length in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from selection.embedding.batches import Batching
from selection.embedding.linear import Linear, fuses
from selection.embedding.precision import EmbeddingPrecision
from selection.embedding.tokens import Tokens

if TYPE_CHECKING:
    import torch

ROUND_TOKENS = 64
"""A batch's tokens are rounded up to a multiple: oneDNN compiles anew for each number of rows,
which takes as long as the product itself."""


class _Norm(NamedTuple):
    weight: torch.Tensor
    bias: torch.Tensor
    eps: float


class _Layer(NamedTuple):
    qkv: Linear
    attended: Linear
    attended_norm: _Norm
    up: Linear
    down: Linear
    down_norm: _Norm


@dataclass(frozen=True)
class _Group:
    """The texts of a batch that are padded to one length.

    Attributes
    ----------
    rows : int64 of shape (b,), their places in the batch.
    lengths : int64 of shape (b,).
    width : tokens each takes.
    """

    rows: np.ndarray
    lengths: np.ndarray
    width: int

    @property
    def size(self) -> int:
        """Tokens of the group, padding included."""
        return len(self.rows) * self.width


class PackedBert:
    """The forward pass of a `transformers.BertModel` with mean or CLS pooling.

    Weights are copied once in the precision asked for; pooling is in float32.
    """

    def __init__(
        self, bert: Any, *, pooling: str, device: str, precision: EmbeddingPrecision
    ) -> None:
        import torch

        self.pooling, self.device = pooling, device
        self.dtype = getattr(torch, precision)
        self.heads, self.width = bert.config.num_attention_heads, bert.config.hidden_size
        fused = fuses(device, precision)

        def linear(*parts: torch.nn.Linear) -> Linear:
            return Linear(
                self._copy(torch.cat([part.weight for part in parts])),
                self._copy(torch.cat([part.bias for part in parts])),
                fused=fused,
            )

        with torch.no_grad():
            table = bert.embeddings
            self.words = self._copy(table.word_embeddings.weight)
            # Every token is of the first type.
            self.positions = self._copy(
                table.position_embeddings.weight + table.token_type_embeddings.weight[0]
            )
            self.first_norm = self._norm(table.LayerNorm)
            self.layers = [
                _Layer(
                    linear(
                        layer.attention.self.query,
                        layer.attention.self.key,
                        layer.attention.self.value,
                    ),
                    linear(layer.attention.output.dense),
                    self._norm(layer.attention.output.LayerNorm),
                    linear(layer.intermediate.dense),
                    linear(layer.output.dense),
                    self._norm(layer.output.LayerNorm),
                )
                for layer in bert.encoder.layer
            ]

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach().to(self.device, self.dtype).contiguous()

    def _norm(self, norm: torch.nn.LayerNorm) -> _Norm:
        return _Norm(self._copy(norm.weight), self._copy(norm.bias), norm.eps)

    def embed(self, tokens: Tokens, batching: Batching) -> np.ndarray:
        """Pooled vectors of one batch, float32 of shape (n, width); zero for no tokens."""
        import torch

        out = np.zeros((len(tokens.lengths), self.width), dtype=np.float32)
        groups = list(_groups(tokens.lengths, batching))
        if groups:
            with torch.inference_mode():
                hidden = self._forward(*_packed(tokens, groups), groups)
                pooled = torch.cat([self._pool(*part) for part in _cut(hidden, groups)])
            out[np.concatenate([group.rows for group in groups])] = pooled.cpu().numpy()
        return out

    def _forward(self, ids: np.ndarray, positions: np.ndarray, groups: list[_Group]) -> Any:
        import torch
        from torch.nn.functional import embedding, layer_norm

        def to_device(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(self.device)

        shape = (self.width,)
        x = embedding(to_device(ids), self.words)
        x += embedding(to_device(positions), self.positions)
        x = layer_norm(x, shape, *self.first_norm)
        masks = [self._mask(group) for group in groups]
        for layer in self.layers:
            attended = self._attend(layer.qkv(x), groups, masks)
            x = layer_norm(layer.attended.plus(attended, x), shape, *layer.attended_norm)
            x = layer_norm(layer.down.plus(layer.up.gelu(x), x), shape, *layer.down_norm)
        return x

    def _attend(
        self, qkv: torch.Tensor, groups: list[_Group], masks: list[torch.Tensor | None]
    ) -> torch.Tensor:
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        head = self.width // self.heads
        out = torch.zeros(len(qkv), self.width, dtype=qkv.dtype, device=qkv.device)
        for (part, group), (into, _), mask in zip(
            _cut(qkv, groups), _cut(out, groups), masks, strict=True
        ):
            split = part.view(len(group.rows), group.width, 3, self.heads, head)
            query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
            attended = scaled_dot_product_attention(query, key, value, attn_mask=mask)
            into.view(len(group.rows), group.width, self.heads, head).copy_(
                attended.transpose(1, 2)
            )
        return out

    def _mask(self, group: _Group) -> torch.Tensor | None:
        """What to add to the scores so that nobody attends to padding; None without padding."""
        import torch

        if (group.lengths == group.width).all():
            return None
        real = torch.from_numpy(np.arange(group.width) < group.lengths[:, None])
        mask = torch.zeros(real.shape, dtype=self.dtype).masked_fill_(~real, float("-inf"))
        return mask.to(self.device)[:, None, None, :]

    def _pool(self, hidden: torch.Tensor, group: _Group) -> torch.Tensor:
        import torch

        x = hidden.view(len(group.rows), group.width, self.width)
        if self.pooling == "cls":
            return x[:, 0].float()
        real = torch.from_numpy(np.arange(group.width) < group.lengths[:, None]).to(self.device)
        lengths = torch.from_numpy(group.lengths).to(self.device)
        return x.float().mul_(real[:, :, None]).sum(1) / lengths[:, None]


def _groups(lengths: np.ndarray, batching: Batching) -> Iterator[_Group]:
    padded = np.where(lengths > 0, batching.padded(lengths), 0)
    for width in np.unique(padded[padded > 0])[::-1]:
        rows = np.flatnonzero(padded == width)
        yield _Group(rows, lengths[rows], int(width))


def _packed(tokens: Tokens, groups: list[_Group]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and positions of the batch, int64 of shape (tokens with padding,)."""
    total = sum(group.size for group in groups)
    ids = np.zeros(-(-total // ROUND_TOKENS) * ROUND_TOKENS, dtype=np.int64)
    positions = np.zeros_like(ids)
    for (part, group), (at, _) in zip(_cut(ids, groups), _cut(positions, groups), strict=True):
        column = np.arange(group.width)
        part.reshape(-1, group.width)[column < group.lengths[:, None]] = tokens.take(
            group.rows
        ).flat
        at.reshape(-1, group.width)[:] = column
    return ids, positions


def _cut(packed: Any, groups: list[_Group]) -> Iterator[tuple[Any, _Group]]:
    """Each group's part of an array or tensor over the batch's tokens."""
    start = 0
    for group in groups:
        yield packed[start : start + group.size], group
        start += group.size
