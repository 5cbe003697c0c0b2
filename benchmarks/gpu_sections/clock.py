"""Time on a device that works behind the caller's back."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from gpu_sections.sizes import Sizes
from selection.basics.hardware import has_bfloat16
from selection.transport.precision import Precision

Result = TypeVar("Result")


@dataclass(frozen=True)
class Machine:
    """The device under test, how large its problems are, and how to time it."""

    device: torch.device
    sizes: Sizes

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Precisions that are worth a measurement here, the fastest first."""
        fast: tuple[Precision, ...] = ("bfloat16",) if has_bfloat16(str(self.device)) else ()
        return (*fast, "tf32", "float32") if self.on_gpu else (*fast, "float32")

    @property
    def kernel_bytes(self) -> int:
        """Memory that a kernel may take: half of a GPU's; on a CPU a gigabyte, enough here."""
        return torch.cuda.mem_get_info(self.device)[1] // 2 if self.on_gpu else 2**30

    def wait(self) -> None:
        """Return when the device has done everything it was asked."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Give memory that no tensor uses back to the device."""
        if self.on_gpu:
            torch.cuda.empty_cache()

    def timed(self, call: Callable[[], Result]) -> tuple[Result, float]:
        """Give the result of a call and its wall seconds, those of the device included."""
        self.wait()
        started = time.perf_counter()
        result = call()
        self.wait()
        return result, time.perf_counter() - started

    def median(self, call: Callable[[], object], *, repeats: int = 0, warm_up: int = 1) -> float:
        """Give the median of the wall seconds of some calls, after some that do not count.

        Without ``repeats`` as many as the sizes say.
        """
        for _ in range(warm_up):
            call()
        return statistics.median(self.timed(call)[1] for _ in range(repeats or self.sizes.repeats))
