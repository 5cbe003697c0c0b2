"""Linear layers of inference: with what follows them in one kernel where oneDNN offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selection.embedding.precision import EmbeddingPrecision

if TYPE_CHECKING:
    import torch


def fuses(device: str, precision: EmbeddingPrecision) -> bool:
    """Whether this torch has oneDNN's fused kernels, written for x86, for device and precision."""
    import torch

    return (
        device == "cpu"
        and torch.backends.mkldnn.is_available()
        and bool(torch.cpu.get_capabilities().get("avx2"))
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        # It refuses bfloat16 on a processor of AVX2.
        and (precision == "float32" or torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


class Linear:
    """``x W' + b``, then GELU or the addition of another tensor.

    The fused kernels are what `torch.compile` calls on a CPU. They hold the weight in the layout
    that the processor multiplies, and do not copy the bias over the whole result first.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, *, fused: bool) -> None:
        import torch

        self.bias, self.fused = bias, fused
        # No number of rows is given: batches differ in theirs.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None) if fused else weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product, shape (n, outputs)."""
        import torch

        if self.fused:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return torch.nn.functional.linear(x, self.weight, self.bias)

    def gelu(self, x: torch.Tensor) -> torch.Tensor:
        """GELU (with the error function) of the product."""
        import torch

        if self.fused:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "gelu", [], "none")
        return torch.nn.functional.gelu(self(x))

    def plus(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Add `other`, of the product's shape."""
        import torch

        if self.fused:
            return torch.ops.mkldnn._linear_pointwise.binary(
                x, other, self.weight, self.bias, "add"
            )
        return self(x).add_(other)
