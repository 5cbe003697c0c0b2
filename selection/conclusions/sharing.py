"""One target's break-even over shared selection: its table, and a picture for each budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selection.conclusions.paying import UNTRAINED, Paying, paying
from selection.conclusions.result import StudyResult
from selection.conclusions.tables import break_even_table
from selection.plots.break_even import SharedCost, break_even_lines
from selection.reports import markdown_table


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
            pictures[f"break_even_{budget}.png"] = picture(result, own)
    return Sharing(markdown_table(*break_even_table(found)), pictures)


def picture(result: StudyResult, own: list[Paying]) -> bytes:
    """Draw one budget of one target."""
    lines = [SharedCost(e.method, e.pool, e.target, e.result.targets) for e in own]
    title = f"{result.name} at {own[0].budget}: selection cost when T targets share it"
    return break_even_lines(lines, budget=own[0].flops, title=title)
