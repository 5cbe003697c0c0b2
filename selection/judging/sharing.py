"""One target's break-even over shared selection: its table, and a picture for each budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selection.judging.paying import UNTRAINED, Paying, paying
from selection.judging.result import StudyResult
from selection.reports.plots.break_even import SharedCost, break_even_lines
from selection.reports.tables import markdown_table


@dataclass(frozen=True)
class Sharing:
    """Markdown, and pictures by file name."""

    table: str
    pictures: Mapping[str, bytes]


def break_evens(result: StudyResult) -> Sharing:
    """From how many targets on each method pays; says so where nothing can be said."""
    if UNTRAINED not in result.lines:
        missing = f"Without the line {UNTRAINED} no curve has a beginning: nothing can be said."
        return Sharing(missing, {})
    found = paying(result)
    pictures = {}
    for budget in result.budgets:
        own = [each for each in found if each.budget == budget]
        if own:
            pictures[f"break_even_{budget}.png"] = sharing_picture(result, own)
    return Sharing(markdown_table(*break_even_table(found)), pictures)


def sharing_picture(result: StudyResult, own: list[Paying]) -> bytes:
    """Draw one budget of one target."""
    lines = [SharedCost(e.method, e.pool, e.target, e.result.targets) for e in own]
    title = f"{result.name} at {own[0].budget}: selection cost when T targets share it"
    return break_even_lines(lines, budget=own[0].flops, title=title)


def break_even_table(found: Sequence[Paying]) -> tuple[list[str], list[list[Any]]]:
    """From how many targets each method pays at each budget; a column a target.

    An asterisk marks what fitted curves say, where measured points do not reach.
    """
    targets = list(dict.fromkeys(each.study for each in found))
    dearest: dict[tuple[str, str], list[float]] = {}
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for each in found:
        key = each.method, each.budget
        worst = dearest.setdefault(key, [0.0, 0.0])
        worst[:] = max(worst[0], each.pool / each.flops), max(worst[1], each.target / each.flops)
        said = _targets(each.result.whole_targets) + "*" * (each.basis == "fitted")
        cells.setdefault(key, {})[each.study] = said
    rows = [
        [*key, *(f"{share:.2%}" for share in dearest[key]), *(own.get(t, "") for t in targets)]
        for key, own in cells.items()
    ]
    return ["method", "budget", "shared part", "own part", *targets], rows


def _targets(count: float | None) -> str:
    if count is None:
        return "not known"
    return "never" if math.isinf(count) else f"{count:,.0f}"
