"""What every benchmark shares: its options, its report, and time and peak memory of a call.

Only the standard library, so that a benchmark also runs where little else is installed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Measured:
    """One call: its result, wall seconds, and peak bytes above what was resident before it."""

    result: Any
    seconds: float
    peak_bytes: int


def measure(call: Callable[[], Any], *, repeats: int = 1) -> Measured:
    """Call, keeping the fastest of ``repeats`` and the largest peak of resident memory.

    The peak is this process's, reset before each call (Linux).
    """
    best, peak, result = float("inf"), 0, None
    for _ in range(repeats):
        result = None
        gc.collect()
        _CLEAR_REFS.write_text("5")
        before = _resident("VmRSS")
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
        peak = max(peak, _resident("VmHWM") - before)
    return Measured(result, best, peak)


def own_process(start: Callable[..., Any] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """Give a process where nothing was allocated before, and which calls ``start`` at first."""
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=start, initargs=arguments
    )


def in_own_process(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call where nothing was allocated before."""
    with own_process() as process:
        return process.submit(call, *arguments).result()


def peak_of_process() -> int:
    """Most bytes this process held, since its start or the last `measure`.

    Not `getrusage`: a spawned process inherits the maximum of the one that started it.
    """
    return _resident("VmHWM")


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Read the two options that every benchmark has: --quick and --json FILE."""
    return option_parser(description).parse_args()


def option_parser(description: str | None) -> argparse.ArgumentParser:
    """Give a parser of those two options, for a benchmark that has more."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute or two")
    parser.add_argument("--json", type=Path, help="write device, versions and figures to this file")
    return parser


def publish(
    figures: dict[str, Any],
    libraries: Iterable[str],
    json_file: Path | None,
    *,
    shown: dict[str, Any] | None = None,
    device: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Print the figures and, when asked, write them with the device and the libraries' versions.

    With ``shown`` only those are printed. Details, such as the lines of a table that was printed
    before, are only written.
    """
    for name, value in (figures if shown is None else shown).items():
        print(f"{name:<52}{value:12.4g}" if isinstance(value, float | int) else f"{name}: {value}")
    if json_file is not None:
        report = {
            "device": device or processor(),
            "versions": installed(libraries),
            "figures": figures,
            **({"details": details} if details else {}),
        }
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report, indent=1) + "\n")


def installed(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of those libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX512-BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
}
"""What Linux calls the sets that speed depends on, and others do."""


def processor() -> str:
    """Name of the processor, its number of cores, and its instruction sets."""
    found: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    flags = set(found.get("flags", found.get("Features", "")).split())
    sets = [said for flag, said in INSTRUCTIONS.items() if flag in flags]
    name = found.get("model name", platform.machine())
    return ", ".join([name, f"{len(os.sched_getaffinity(0))} cores", *sets])


def _resident(field: str) -> int:
    """Bytes that the kernel counts for this process under VmRSS or VmHWM."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no {field}; this benchmark needs Linux")
