"""Which device and precision this machine offers."""

import os
from functools import cached_property
from typing import Literal

import dagster as dg

from resources.paths import project_settings
from selection.basics.engine import HERE, Engine, LocalEngine
from selection.basics.hardware import has_bfloat16
from selection.basics.ray_engine import RayEngine
from selection.config.project import LocalProcesses, RayCluster

GIB = 2**30
MEMORY_SHARE = 0.5
"""Of the free memory, what a solver may use."""


class Device(dg.ConfigurableResource):
    """Picks CUDA or the CPU, the precision and the memory a step may use, and says so.

    It has no fields, since whoever may launch a run could set them, and what a step makes would be
    taken for what it makes without.
    """

    @cached_property
    def name(self) -> str:
        """`cuda` where torch sees it, else `cpu`."""
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @cached_property
    def dtype(self) -> Literal["float32", "bfloat16"]:
        """Precision of training and evaluation.

        On a CPU the small models of a study gain nothing from bfloat16.
        """
        return "bfloat16" if self.name == "cuda" and has_bfloat16(self.name) else "float32"

    @property
    def engine(self) -> Engine:
        """Who does the work that needs no device."""
        match project_settings().engine:
            case LocalProcesses():
                return LocalEngine(self.processes)
            case RayCluster(address=address, workers=workers):
                return RayEngine(address, workers)

    @property
    def processes(self) -> int:
        """How many processes of this machine compute blocks; 1 where it is the step's own."""
        engine = project_settings().engine
        if isinstance(engine, RayCluster) and engine.address is not None:
            return 1
        return engine.workers or len(os.sched_getaffinity(0))

    @property
    def engine_with_models(self) -> Engine:
        """Who does the work for which a model is loaded: others only if they keep it."""
        engine = self.engine
        return engine if engine.keeps and self.name == "cpu" else HERE

    @property
    def training_devices(self) -> int:
        """Devices that a training holds; the processors of a machine are one."""
        return project_settings().training.processes if self.name == "cuda" else 1

    @property
    def memory_limit(self) -> int:
        """Bytes that a solver may use now."""
        if self.name == "cuda":
            import torch

            free, _ = torch.cuda.mem_get_info()
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(free * MEMORY_SHARE)

    @property
    def model_name(self) -> str:
        """The hardware, as a report names it."""
        import torch

        if self.name == "cuda":
            return torch.cuda.get_device_name()
        return f"CPU, {torch.get_num_threads()} threads"

    @property
    def processor_name(self) -> str:
        """The processors that a step may use which needs no torch, as a report names them."""
        threads = os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))
        return f"CPU, {threads} threads"

    def describe(self) -> str:
        """One line for people: what was chosen."""
        memory = self.memory_limit / GIB
        return f"{self.model_name}, {self.dtype}, solver memory up to {memory:.1f} GiB"

    def synchronise(self) -> None:
        """Wait for work under way on the device, so that a clock read afterwards is right."""
        if self.name == "cuda":
            import torch

            torch.cuda.synchronize()
