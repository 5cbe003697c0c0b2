"""What a solve may be asked for: refused, or settled before the first pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from selection.basics.hardware import has_bfloat16
from selection.transport.points import as_numpy
from selection.transport.precision import Precision, check_precision
from selection.transport.solution import Path, Potentials

if TYPE_CHECKING:
    import torch

# Products in these precisions put up to a few 1e-4 (tf32: 1e-5) of L1 error into the marginal:
# below this tol, do not try.
_SMALLEST_TOL: dict[Precision, float] = {"bfloat16": 5e-4, "tf32": 1e-4}
_CPU_MEMORY_LIMIT = 2 * 2**30


def check_options(
    eps_rel: float, eps: float | None, tol: float, max_iterations: int, memory_limit: int | None
) -> None:
    """Refuse options with the value given and what is allowed."""
    for name, value in (("eps_rel", eps_rel), ("eps", eps), ("tol", tol)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it must be positive and finite")
    for name, value in (("max_iterations", max_iterations), ("memory_limit", memory_limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")


def choose_path(
    path: Path | Literal["auto"], n: int, m: int, itemsize: int, memory_limit: int
) -> Path:
    """Hold the kernel (N x M entries of itemsize bytes) when it fits the limit, unless forced.

    Raises
    ------
    ValueError
        An unknown path, or a cached kernel that does not fit.
    """
    fits = n * m * itemsize <= memory_limit
    if path == "auto":
        return "cached" if fits else "streamed"
    if path not in ("cached", "streamed"):
        raise ValueError(f"path is {path}; it must be auto, cached or streamed")
    if path == "cached" and not fits:
        raise ValueError(
            f"a cached kernel of {n} x {m} takes {n * m * itemsize:,} bytes and memory_limit is "
            f"{memory_limit:,}; raise it, or use path streamed"
        )
    return path


def precisions_to_try(
    precision: Precision | Literal["auto"], device: torch.device, tol: float
) -> tuple[Precision, ...]:
    """Give the precisions of a solve in the order to try; a forced one stands alone."""
    if precision != "auto":
        return (check_precision(precision, device),)
    # On CUDA tf32 costs little more than bfloat16's two halves, and its error is far smaller.
    fast: Precision = "tf32" if device.type == "cuda" else "bfloat16"
    if tol >= _SMALLEST_TOL[fast] and (fast == "tf32" or has_bfloat16(str(device))):
        return (fast, "float32")
    return ("float32",)


def default_memory_limit(device: torch.device) -> int:
    """Bytes of kernel to hold when nobody says: 2 GiB, or half of what a GPU has free."""
    import torch

    if device.type != "cuda":
        return _CPU_MEMORY_LIMIT
    free, _ = torch.cuda.mem_get_info(device)
    return free // 2


def starting_potential(warm_start: ArrayLike | torch.Tensor | Potentials, m: int) -> np.ndarray:
    """Give the target potentials to start from, float64 of shape (m,), or refuse them."""
    stored: Any = getattr(warm_start, "g", warm_start)
    g_M = as_numpy(stored)
    if g_M.shape != (m,) or not np.isfinite(g_M).all():
        raise ValueError(
            f"warm_start must hold one finite potential for each of the {m} target rows, "
            f"got shape {g_M.shape}; solve without it when the target changed"
        )
    return g_M.astype(np.float64)


def check_target(m: int, g_M: np.ndarray) -> None:
    """Refuse potentials that belong to a target with another number of rows."""
    if len(g_M) != m:
        raise ValueError(
            f"target has {m} rows and the potentials have {len(g_M)}; "
            "use the target of the solve, or solve again"
        )
