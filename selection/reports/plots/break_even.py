"""Picture of shared selection: what one of T targets pays of its budget, and from where it pays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selection.curves.amortised import amortised
from selection.reports.plots.style import (
    GREY,
    INK,
    label_axes,
    legend_below,
    method_styles,
    new_figure,
    plain_label,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

MOST_TARGETS = 1e4
FLOOR = 1e-5
"""Shares below it are drawn at the lower edge: the axis has no zero."""


@dataclass(frozen=True)
class SharedCost:
    """One method's line.

    Parameters
    ----------
    method : str
    pool, target : float
        FLOPs of its selection that all targets share, and that each has of its own.
    pays_from : float or None
        T from which on it is no worse than random; infinite for never, None where not known.
    """

    method: str
    pool: float
    target: float
    pays_from: float | None


def break_even_lines(lines: Sequence[SharedCost], *, budget: float, title: str) -> bytes:
    """Draw each method's selection cost as a share of the budget against the number of targets.

    A large mark stands where a method begins to pay; what never pays, or is not known to, is said
    in the legend. Methods that select for nothing lie on the lower edge, in grey.

    Parameters
    ----------
    lines : sequence of SharedCost
        Random is left out of it.
    budget : float
        K, total FLOPs of an arm.
    title : str
        Of which target and budget.

    Raises
    ------
    ValueError
        If there is no line, or the budget is not positive.
    """
    if not lines:
        raise ValueError("lines is empty: there is no method to draw.")
    if not budget > 0:
        raise ValueError(f"budget is {budget}, and a share of it needs more than 0 FLOPs.")
    figure, axes = new_figure(7.6, 4.6)
    finite = [line.pays_from or 1.0 for line in lines if math.isfinite(line.pays_from or 1.0)]
    right = min(MOST_TARGETS, max(100.0, 3.0 * max(finite, default=1.0)))
    targets_N = np.geomspace(1.0, right, 200)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.9, right * 1.1)
    axes.axhline(1.0, color=INK, linestyle=":", linewidth=1.2, label="the whole budget")
    styles = method_styles(line.method for line in lines)
    for line in lines:
        colour, marker = styles[line.method]
        _draw(axes, line, targets_N, budget, colour, marker)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, FLOOR / 2), max(high, 2.0))
    label_axes(
        axes,
        title=title,
        x="targets that share the pool's part of the selection (T)",
        y="selection cost, share of the budget",
    )
    legend_below(figure, *axes.get_legend_handles_labels(), columns=3)
    return to_png(figure)


def _draw(
    axes: Axes, line: SharedCost, targets_N: np.ndarray, budget: float, colour: str, marker: str
) -> None:
    def share(n_targets: float) -> float:
        return max(amortised(line.pool, line.target, n_targets) / budget, FLOOR)

    free = line.pool + line.target == 0
    axes.plot(
        targets_N,
        [share(n) for n in targets_N],
        color=GREY if free else colour,
        linewidth=1.4,
        label=f"{plain_label(line.method)}: {_when(line.pays_from)}",
        marker=marker,
        markevery=[0],
        markersize=5,
        markerfacecolor="white",
        zorder=2,
    )
    if line.pays_from is not None and line.pays_from <= targets_N[-1]:
        axes.plot(
            line.pays_from,
            share(line.pays_from),
            color=colour,
            marker=marker,
            markersize=10,
            markeredgecolor=INK,
            linestyle="none",
            zorder=4,
        )


def _when(pays_from: float | None) -> str:
    if pays_from is None:
        return "not known"
    if math.isinf(pays_from):
        return "never pays"
    return "pays at once" if pays_from <= 1 else f"pays from {pays_from:,.3g}"
