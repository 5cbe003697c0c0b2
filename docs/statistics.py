"""Write the tables of docs/statistics.md from what benchmarks/verdicts.py measured.

`python docs/statistics.py`; the page's wording is written by hand, its figures stand between
comments, and are written here.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.results.markers import put_parts, write_measured
from selection.reports.tables import markdown_table

PAGE = Path(__file__).resolve().parent / "statistics.md"
MEASURED = PAGE.parents[1] / "benchmarks" / "results" / "verdicts.json"


def parts(measured: dict[str, Any]) -> dict[str, str]:
    """What stands between the page's comments, by their names."""
    arms, means = measured["details"]["arms"], measured["details"]["means"]
    ways = list(dict.fromkeys(row["way to judge"] for row in arms))
    rows: dict[tuple[str, int], list[str]] = {}
    for row in arms:
        cell = f"{row['family-wise error']:.3f} / {row['power']:.2f}"
        rows.setdefault((row["seeds differ"], row["seeds"]), []).append(cell)
    alone = [row for row in arms if row["way to judge"] == "in use, Holm"]
    shown = [[*key, *cells] for key, cells in rows.items()]
    for row, own in zip(shown, alone, strict=True):
        row.append(f"{own['false positives']:.3f}")
    header = ["seeds differ", "seeds", *ways, "false positives in use, one by one"]
    over = [
        [value if isinstance(value, str | int) else f"{value:.3f}" for value in row.values()]
        for row in means
    ]
    return {
        "arms": markdown_table(header, shown),
        "means": markdown_table(list(means[0]), over),
        "largest": "The largest family-wise error in use is "
        f"{_largest(row for row in alone if row['seeds'] == 2)} at two seeds and "
        f"{_largest(row for row in alone if row['seeds'] > 2)} from three on.",
        "families": f"Each row is of {measured['figures']['families']:,} simulated studies.",
    }


def _largest(rows: Iterable[dict[str, Any]]) -> str:
    return f"{max(row['family-wise error'] for row in rows):.3f}"


def written(page: str, measured: dict[str, Any]) -> str:
    """Put the tables in their places."""
    return put_parts(page, parts(measured))


if __name__ == "__main__":
    write_measured(PAGE, MEASURED, parts)
