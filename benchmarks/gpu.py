"""How fast is this on a GPU, how near to what the GPU can do, and is it right?

Runs from a plain checkout on a machine with numpy, torch, tqdm, transformers and tokenizers, and
nothing else of the project's dependencies: ``python benchmarks/gpu.py``. flash-sinkhorn is compared
with where it is installed. Figures are written after each section, so that a run that is cut short
leaves what it had. The exit status is 1 when a check or a section failed.

``--device cpu --quick`` runs every line of it that needs no GPU, on problems that take seconds: it
shows that the benchmark works, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# The tokenizer is to use all cores; without this it asks when threads are about.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import torch  # noqa: E402
from gpu_sections.ceilings import measure_ceilings  # noqa: E402
from gpu_sections.clock import Machine  # noqa: E402
from gpu_sections.correctness import check_correctness  # noqa: E402
from gpu_sections.large_problem import (  # noqa: E402
    measure_large_problem,
    measure_scoring_from_host,
)
from gpu_sections.rivals import compare_solvers  # noqa: E402
from gpu_sections.sizes import FULL, QUICK  # noqa: E402
from gpu_sections.targets import against_targets  # noqa: E402
from harness import option_parser, processor, publish  # noqa: E402

LIBRARIES = ("torch", "triton", "numpy", "transformers", "tokenizers", "flash-sinkhorn")
RESULTS = ROOT / "benchmarks" / "results"

Section = Callable[[], dict[str, Any]]


def main() -> int:
    """Run every section; give the exit status."""
    arguments = parse_arguments()
    machine = Machine(torch.device(arguments.device), QUICK if arguments.quick else FULL)
    name = device_name(machine)
    json_file = arguments.json
    if json_file is None and machine.on_gpu:
        json_file = RESULTS / f"gpu-{slug(name)}{'-quick' if arguments.quick else ''}.json"
    figures: dict[str, dict[str, Any]] = {}
    started = time.perf_counter()
    for title, section in sections(machine, figures).items():
        print(f"[{time.perf_counter() - started:6.1f} s] {title}", flush=True)
        figures[title] = attempt(section)
        machine.forget()
        publish(figures, LIBRARIES, json_file, shown=figures[title], device=name)
    print(f"[{time.perf_counter() - started:6.1f} s] done", flush=True)
    wrong = [
        f"{title}: {failure}"
        for title, found in figures.items()
        for failure in found.get("failures", ())
    ]
    for line in wrong:
        print(f"FAILED {line}", file=sys.stderr)
    return 1 if wrong else 0


def parse_arguments() -> argparse.Namespace:
    """Read the options, and refuse a device that is not there."""
    parser = option_parser(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error(
            "torch finds no CUDA device; on a machine without one, --device cpu --quick shows that "
            "the benchmark works"
        )
    if arguments.device == "cpu" and not arguments.quick:
        parser.error("the full sizes would take hours on a CPU; add --quick")
    return arguments


def sections(machine: Machine, figures: dict[str, dict[str, Any]]) -> dict[str, Section]:
    """Give the sections in their order; later ones read the figures of earlier ones.

    The rivals come last: a foreign kernel that breaks the device then breaks nothing else.
    """
    parts: dict[str, Section] = {
        "ceilings": lambda: measure_ceilings(machine),
        "correctness": lambda: check_correctness(machine),
        "large problem": lambda: measure_large_problem(machine, figures["ceilings"]),
        "scoring from host": lambda: measure_scoring_from_host(machine),
        "encoders": lambda: encoders(machine, figures["ceilings"]),
    }
    if machine.on_gpu and machine.sizes is FULL:
        parts["targets"] = lambda: against_targets(figures)
    return parts | {"rivals": lambda: compare_solvers(machine)}


def encoders(machine: Machine, ceilings: dict[str, float]) -> dict[str, Any]:
    """Import what only this section needs, so that the others also run without it."""
    from gpu_sections.encoders import measure_encoders

    return measure_encoders(machine, ceilings)


def attempt(section: Section) -> dict[str, Any]:
    """Run a section; one that breaks, as for want of memory, fails the run but not its successors.

    What torch and the engine raise are subclasses of these. Anything else ends the run.
    """
    try:
        return section()
    except (RuntimeError, ValueError, LookupError, TypeError, ImportError, MemoryError) as error:
        traceback.print_exc()
        return {"failures": [f"{type(error).__name__}: {error}"]}


def device_name(machine: Machine) -> str:
    """Name the device as a reader knows it."""
    if not machine.on_gpu:
        return processor()
    return f"{torch.cuda.get_device_name(machine.device)}, CUDA {torch.version.cuda}"


def slug(name: str) -> str:
    """Name of a device in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.split(",")[0].lower()).strip("-")


if __name__ == "__main__":
    sys.exit(main())
