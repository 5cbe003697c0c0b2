"""In which precision the products of rows and target run: named, checked, and set for a while.

Everything but the product (exponentials, sums, potentials) runs in float32, or in float64 when the
product does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from selection.basics.hardware import has_bfloat16

if TYPE_CHECKING:
    import torch

Precision = Literal["float64", "float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def check_precision(precision: str, device: torch.device) -> Precision:
    """Give the precision back when the device has it.

    Raises
    ------
    ValueError
        An unknown name, or one that this device cannot run.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision}; it must be one of {', '.join(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(f"precision tf32 needs a CUDA device, not {device}; use float32")
    if precision == "bfloat16" and not has_bfloat16(str(device)):
        raise ValueError(f"{device} has no bfloat16 arithmetic; use precision float32")
    return precision


def work_dtype(precision: Precision) -> torch.dtype:
    """Give the dtype of everything but the product."""
    import torch

    return torch.float64 if precision == "float64" else torch.float32


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Run matrix products of float32 tensors in this precision, with float32 sums.

    On CUDA, bfloat16 is a matter of the operands' dtype and not of this setting.
    """
    import torch

    one_dnn: Any = torch.backends.mkldnn
    backends = {"tf32": torch.backends.cuda.matmul, "bfloat16": one_dnn.matmul}
    setting = {"tf32": "tf32", "bfloat16": "bf16"}
    if precision not in backends:
        yield
        return
    backend = backends[precision]
    before = backend.fp32_precision
    backend.fp32_precision = setting[precision]
    try:
        yield
    finally:
        backend.fp32_precision = before
