"""What can this machine do at best: bytes a second, operations a second?

Every later figure that is a share is a share of one of these.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from gpu_sections.clock import Machine
from selection.transport.precision import Precision, products_in, work_dtype

TERA = 1e12
_REPEATS = 7


def measure_ceilings(machine: Machine) -> dict[str, float]:
    """Give TB/s of copies and TFLOP/s of products, by precision.

    ``square`` is the product that the device likes best. ``narrow`` is that of the transport
    engine: many rows of the embedding's width against the targets, with a float32 result, which
    takes longer to write than the operations take.
    """
    figures = copies(machine)
    for precision in machine.precisions:
        n = machine.sizes.square
        figures[f"square_{precision}_tflops"] = product(n, n, n, precision, machine)
        rows = min(machine.sizes.pool, 2**26 // machine.sizes.targets)
        figures[f"narrow_{precision}_tflops"] = product(
            rows, machine.sizes.width, machine.sizes.targets, precision, machine
        )
    return figures


def copies(machine: Machine) -> dict[str, float]:
    """Give TB/s within the device (bytes read and bytes written both count) and to and from it."""
    source = torch.empty(machine.sizes.copied_bytes // 4, device=machine.device).normal_()
    into = torch.empty_like(source)

    def rate(call: Callable[[], object], moved: int) -> float:
        return moved / machine.median(call, repeats=_REPEATS, warm_up=2) / TERA

    figures = {"copy_tb_per_s": rate(lambda: into.copy_(source), 2 * machine.sizes.copied_bytes)}
    if not machine.on_gpu:
        return figures
    pageable = torch.ones(machine.sizes.copied_bytes // 4)
    pinned = torch.empty_like(pageable, pin_memory=True)
    moves = {
        "pinned_to_device": lambda: into.copy_(pinned, non_blocking=True),
        "device_to_pinned": lambda: pinned.copy_(source, non_blocking=True),
        "pageable_to_device": lambda: into.copy_(pageable),
        "pageable_to_pinned": lambda: pinned.copy_(pageable),
    }
    for name, move in moves.items():
        figures[f"{name}_tb_per_s"] = rate(move, machine.sizes.copied_bytes)
    return figures


def product(n: int, k: int, m: int, precision: Precision, machine: Machine) -> float:
    """Give TFLOP/s of (n x k) times (k x m) on random operands, the second one transposed."""
    half = precision == "bfloat16" and machine.on_gpu
    dtype = torch.bfloat16 if half else work_dtype(precision)
    left = torch.randn(n, k, device=machine.device).to(dtype)
    right = torch.randn(m, k, device=machine.device).to(dtype).T
    # The engine's result is float32; the square product's is of its operands' type, as usual.
    out = torch.empty(n, m, device=machine.device, dtype=dtype if n == m else torch.float32)

    def multiply() -> None:
        if out.dtype == dtype:
            torch.mm(left, right, out=out)
        else:
            torch.mm(left, right, out_dtype=out.dtype, out=out)

    with products_in(precision):
        seconds = machine.median(multiply, repeats=_REPEATS, warm_up=3)
    return 2.0 * n * k * m / seconds / TERA
