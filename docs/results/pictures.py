"""How do the conclusions look: what each method gained over random, and which select alike?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from docs.results.mean_effect import MeanEffect
from selection.judging.verdicts import Label
from selection.reports.plots.style import (
    FONT,
    GREY,
    INK,
    label_axes,
    new_figure,
    plain_label,
    to_png,
)

COLOURS: dict[Label, str] = {"better": "#009E73", "worse": "#D55E00"}


def effect_rows(effects: Sequence[MeanEffect], *, title: str) -> bytes:
    """Draw a row for each effect, as a PNG: targets as dots, their mean with its interval.

    Only what is better or worse counting all methods and budgets has a colour.

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
        colour = COLOURS.get(effect.label, GREY)
        if math.isfinite(effect.low) and math.isfinite(effect.high):
            axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=2)
        places = [place] * effect.targets
        axes.plot(effect.points, places, "o", color=INK, markersize=3, zorder=3)
        axes.plot(effect.difference, place, "D", color=colour, markersize=7, zorder=2)
    axes.set_yticks(range(len(effects)), [plain_label(effect.method) for effect in effects])
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.tick_params(axis="y", labelsize=FONT)
    axes.grid(visible=False, axis="y")
    name = "loss minus random's at the same budget (nats per token)"
    label_axes(axes, title=title, x=name, y="")
    return to_png(figure)


def heat_map(names: Sequence[str], share_MM: np.ndarray, *, title: str) -> bytes:
    """Draw shares from 0 to 1 as a labelled square, as a PNG, darker for more; NaN is left empty.

    Raises
    ------
    ValueError
        If there is no name, or the square has another size.
    """
    if not names or np.shape(share_MM) != (len(names),) * 2:
        raise ValueError(
            f"{len(names)} names for a square of shape {np.shape(share_MM)}: give one for each row."
        )
    side = 1.6 + 0.48 * len(names)
    figure, axes = new_figure(max(5.0, side + 1.2), max(3.6, side))
    axes.grid(visible=False)
    axes.imshow(np.ma.masked_invalid(share_MM), cmap="Blues", vmin=0.0, vmax=1.0)
    for (i, j), share in np.ndenumerate(share_MM):
        if np.isfinite(share):
            ink = "white" if share > 0.6 else "black"
            text = axes.text(j, i, f"{share:.2f}", ha="center", va="center", color=ink)
            text.set_fontsize(FONT - 2)
    labels = [plain_label(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), labels)
    label_axes(axes, title=title, x="", y="")
    return to_png(figure)
