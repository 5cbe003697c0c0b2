"""Picture of what each method gained over random, on each target and on their mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.reports.plots.style import (
    FONT,
    GREY,
    INK,
    label_axes,
    new_figure,
    plain_label,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Effect:
    """One row.

    Parameters
    ----------
    label : str
    difference, low, high : float
        Loss minus random's with its interval, whose ends may be infinite.
    points : sequence of float
        The same difference of each target.
    """

    label: str
    difference: float
    low: float
    high: float
    points: Sequence[float]


def effect_rows(effects: Sequence[Effect], *, title: str, unit: str = "nats per token") -> bytes:
    """Draw a row for each effect: targets as dots, their mean as a bar with its interval.

    Parameters
    ----------
    effects : sequence of Effect
        From the top; at least one.
    title : str
    unit : str
        Of the losses.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    ValueError
        If there is no effect.
    """
    if not effects:
        raise ValueError("effects is empty: there is nothing to draw.")
    figure, axes = new_figure(7.2, 1.3 + 0.3 * len(effects))
    axes.axvline(0.0, color=INK, linestyle=":", linewidth=1.2, zorder=1)
    for place, effect in enumerate(effects):
        colour = "#009E73" if effect.high < 0 else "#D55E00" if effect.low > 0 else GREY
        if math.isfinite(effect.low) and math.isfinite(effect.high):
            axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=2)
        axes.plot(
            list(effect.points),
            [place] * len(effect.points),
            "o",
            color=INK,
            markersize=3,
            zorder=3,
        )
        axes.plot(effect.difference, place, "D", color=colour, markersize=7, zorder=2)
    axes.set_yticks(range(len(effects)), [plain_label(effect.label) for effect in effects])
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.tick_params(axis="y", labelsize=FONT)
    axes.grid(visible=False, axis="y")
    label_axes(axes, title=title, x=f"loss minus random's at the same budget ({unit})", y="")
    return to_png(figure)
