"""Which device and precision this machine offers."""

import os
from functools import cached_property
from typing import Literal

import dagster as dg
from pydantic import Field

from selection.basics.hardware import has_bfloat16

GIB = 2**30


class Device(dg.ConfigurableResource):
    """Picks CUDA or the CPU, the precision and the memory a step may use, and says so."""

    prefer: Literal["auto", "cuda", "cpu"] = Field(
        default="auto", description="`auto` takes CUDA when torch sees it."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="`auto` is bfloat16 on a GPU that has it and float32 elsewhere: on a CPU the"
        " small models of a study gain nothing from bfloat16.",
    )
    embedding_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="`auto` is bfloat16 on a GPU or CPU that multiplies in it, where the embedder"
        " gains by it; its error is measured.",
    )
    memory_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of the free memory that a solver may use."
    )

    @cached_property
    def name(self) -> str:
        """`cuda` or `cpu`.

        Raises
        ------
        ValueError
            When CUDA is asked for and torch sees none.
        """
        import torch

        if self.prefer == "cuda" and not torch.cuda.is_available():
            raise ValueError("device: `cuda` is asked for but torch sees no GPU; set `auto`")
        if self.prefer == "cpu" or not torch.cuda.is_available():
            return "cpu"
        return "cuda"

    @cached_property
    def dtype(self) -> Literal["float32", "bfloat16"]:
        """Precision of training and evaluation."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if self.name == "cuda" and has_bfloat16(self.name) else "float32"

    @property
    def memory_limit(self) -> int:
        """Bytes that a solver may use now."""
        if self.name == "cuda":
            import torch

            free, _ = torch.cuda.mem_get_info()
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(free * self.memory_share)

    @property
    def model_name(self) -> str:
        """The hardware, as a report names it."""
        import torch

        if self.name == "cuda":
            return torch.cuda.get_device_name()
        return f"CPU, {torch.get_num_threads()} threads"

    def describe(self) -> str:
        """One line for people: what was chosen."""
        memory = self.memory_limit / GIB
        return f"{self.model_name}, {self.dtype}, solver memory up to {memory:.1f} GiB"

    def synchronise(self) -> None:
        """Wait for work under way on the device, so that a clock read afterwards is right."""
        if self.name == "cuda":
            import torch

            torch.cuda.synchronize()
