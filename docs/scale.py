"""Write the tables of docs/scale.md from what benchmarks/pool.py measured.

`python docs/scale.py`; the page's wording is written by hand, its figures stand between comments,
and are written here.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.results.markers import put_parts, write_measured
from selection.budget.amounts import SECONDS_AN_HOUR
from selection.reports.numbers import number
from selection.reports.tables import markdown_table

PAGE = Path(__file__).resolve().parent / "scale.md"
MEASURED = PAGE.parents[1] / "benchmarks" / "results" / "pool.json"

ROWS = {"20k": 20_000, "200k": 200_000, "2m": 2_000_000}
FORESEEN = {"10^7": 1e7, "10^8": 1e8, "10^9": 1e9}
IN_BLOCKS = ("corpus_embeddings", "embedder_tokens", "ngram_counts", "raw_corpus")
"""Stages that go to every processor there is, as scores do; sources are read side by side."""

PROCESSORS = {"2 processors": 2, "16 processors": 16, "100 nodes of 16": 1_600}
ENCODER_FLOPS = 2 * 22e6 * 128
"""Of a row of 128 tokens, by an encoder of MiniLM's size: two FLOPs a parameter and token."""

GPU_FLOPS = 0.3 * 400e12
"""A second, of one GPU that reaches three tenths of 400 TFLOP/s: assumed, not measured."""

GPUS = 8


@dataclass(frozen=True)
class Line:
    """What grows with the rows, by two sizes: `start + slope * rows`."""

    start: float
    slope: float

    @classmethod
    def through(cls, few: tuple[float, float], many: tuple[float, float]) -> "Line":
        """Through two points (rows, value); neither part is below 0."""
        slope = max(0.0, (many[1] - few[1]) / (many[0] - few[0]))
        return cls(max(0.0, many[1] - slope * many[0]), slope)

    def at(self, rows: float) -> float:
        """Give the value for so many rows."""
        return self.start + self.slope * rows


def lines_of(figures: dict[str, float], kind: str, sizes: tuple[str, str]) -> dict[str, Line]:
    """Lines of every stage, from the figures `<kind>_<stage>_<size>`."""
    few, many = sizes
    head, tail = f"{kind}_", f"_{many}"
    stages = [
        name[len(head) : -len(tail)]
        for name in figures
        if name.startswith(head) and name.endswith(tail) and name != f"{kind}{tail}"
    ]
    return {
        stage: Line.through(
            (ROWS[few], figures.get(f"{head}{stage}_{few}", 0.0)),
            (ROWS[many], figures[f"{head}{stage}{tail}"]),
        )
        for stage in stages
    }


def parts(measured: dict[str, Any]) -> dict[str, str]:
    """What stands between the page's comments, by their names."""
    figures = measured["figures"]
    sizes = [size for size in ROWS if f"seconds_{size}" in figures]
    few, many = sizes[-2:]
    seconds = lines_of(figures, "seconds", (few, many))
    flops = lines_of(figures, "flops", (few, many))
    slowest = sorted(seconds, key=lambda stage: -seconds[stage].slope)
    by_stage = [
        [
            stage,
            f"{seconds[stage].slope * 1e6:,.0f}",
            f"{flops[stage].slope:.1e}" if stage in flops and flops[stage].slope else "—",
            f"{seconds[stage].start:.1f}",
        ]
        for stage in slowest
        if seconds[stage].slope * 1e6 >= 0.5
    ]
    memory, disk = (
        Line.through((ROWS[few], figures[f"{kind}_{few}"]), (ROWS[many], figures[f"{kind}_{many}"]))
        for kind in ("peak_gb", "disk_gb")
    )
    sizes_seen = [
        [
            number(ROWS[size]),
            f"{figures[f'seconds_{size}']:,.0f}",
            f"{ROWS[size] / figures[f'seconds_{size}']:,.0f}",
            f"{figures[f'peak_gb_{size}']:.2f}",
            f"{figures[f'disk_gb_{size}']:.2f}",
        ]
        for size in sizes
    ]
    return {
        "measured": f"{measured['device']}; exponents are from {few} to {many} rows: time"
        f" {figures['time_exponent']:.2f}, memory {figures['memory_exponent']:.2f}.\n\n"
        + markdown_table(["rows", "seconds", "rows a second", "peak GB", "GB on disk"], sizes_seen),
        "stages": markdown_table(
            ["stage", "seconds a million rows", "FLOPs a row", "seconds whatever the rows"],
            by_stage,
        ),
        "foreseen": markdown_table(
            [
                "rows",
                *(f"hours, {name}" for name in PROCESSORS),
                f"hours of an encoder on {GPUS} GPUs",
                "GB of memory",
                "GB on disk",
            ],
            [
                [
                    name,
                    *(
                        f"{_hours(seconds, rows, processors):.1f}"
                        for processors in PROCESSORS.values()
                    ),
                    f"{rows * ENCODER_FLOPS / (GPUS * GPU_FLOPS) / SECONDS_AN_HOUR:.2f}",
                    f"{memory.at(rows):,.0f}",
                    f"{disk.at(rows):,.0f}",
                ]
                for name, rows in FORESEEN.items()
            ],
        ),
    }


def _hours(seconds: dict[str, Line], rows: float, processors: int) -> float:
    """Stages in blocks are divided by the processors there are beside the two measured."""
    total = 0.0
    for stage, line in seconds.items():
        in_blocks = stage in IN_BLOCKS or stage.endswith("_scores")
        total += line.start + line.slope * rows * (2 / processors if in_blocks else 1.0)
    return total / SECONDS_AN_HOUR


def written(page: str, measured: dict[str, Any]) -> str:
    """Put the tables in their places."""
    return put_parts(page, parts(measured))


if __name__ == "__main__":
    write_measured(PAGE, MEASURED, parts)
