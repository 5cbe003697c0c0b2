"""What each promise and each reference was tried with, counted by tests: `--figures FILE`."""

import json
import platform
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

VERSIONS = ("dagster", "duckdb", "pyarrow", "torch")


class Figures:
    """What the tests counted.

    Attributes
    ----------
    found : by promise (`P1`...) or method (`M1`...), and by what was counted.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, object]] = defaultdict(dict)

    def record(self, promise: str, **found: object) -> None:
        """Note what a test has seen hold, such as kills survived; counts of several tests add up.

        Parameters
        ----------
        found : names, words joined by underscores, and numbers or whatever JSON can hold.
        """
        figures = self.found[promise]
        for name, value in found.items():
            before = figures.get(name, 0)
            both = isinstance(value, int) and isinstance(before, int)
            figures[name] = value + before if both else value

    def write(self, path: Path) -> None:
        """Write everything, and where and when they were taken.

        A promise whose tests did not run keeps the figures that it had.
        """
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        taken = {
            "date": datetime.now(UTC).date().isoformat(),
            "device": _device(),
            "versions": {name: version(name) for name in VERSIONS}
            | {"python": platform.python_version()},
        }
        now = {promise: {"figures": figures, **taken} for promise, figures in self.found.items()}
        # promises first, each kind by its number
        merged = dict(
            sorted(
                (before | now).items(),
                key=lambda item: (item[0][0] != "P", int(item[0][1:])),
            )
        )
        path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")


def _device() -> str:
    from resources.device import Device

    return Device().model_name
