"""What a benchmark defines, for tests of its parts."""

import runpy
import sys

from places import REPOSITORY


def names_of(benchmark: str) -> dict:
    """Its names, without running it."""
    folder = REPOSITORY / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        return runpy.run_path(str(folder / f"{benchmark}.py"), run_name="benchmark")
    finally:
        sys.path.remove(str(folder))
