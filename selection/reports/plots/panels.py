"""Picture of published or repeated studies: total FLOPs against accuracy, a panel a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.curves import frontier
from selection.reports.plots.style import (
    FONT,
    INK,
    legend_below,
    method_styles,
    new_panels,
    plain_label,
    staircase,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from selection.curves import Point


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Parameters
    ----------
    title : str
        What was trained, and on what it was judged.
    points : sequence of Point
        All arms; ``name`` is the method.
    curves : mapping of str to (costs, scores), optional
        Each method's fitted curve, drawn in place of lines between its points.
    full_data : Point, optional
        Training on the whole pool without selection.
    zero_shot : float, optional
        Score of the untrained model.
    """

    title: str
    points: Sequence[Point]
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None
    full_data: Point | None = None
    zero_shot: float | None = None


def cost_panels(panels: Sequence[Panel]) -> bytes:
    """Draw panels below each other over one cost axis, so that costs compare between them.

    Parameters
    ----------
    panels : sequence of Panel
        From top to bottom; scores are accuracies in percent.

    Raises
    ------
    ValueError
        If there is no panel, a panel has no point, or a cost is not positive (the axis is
        logarithmic).
    """
    if not panels:
        raise ValueError("panels is empty: there is nothing to draw.")
    for panel in panels:
        if not panel.points:
            raise ValueError(f"panel {panel.title!r} has no points: leave it out.")
        for point in panel.points:
            if point.cost <= 0:
                raise ValueError(f"{point} costs nothing, which a log axis cannot show.")
    figure, axes_list = new_panels(7.6, 0.9 + 3.1 * len(panels), len(panels))
    costs = [point.cost for panel in panels for point in panel.points]
    left, right = min(costs) / 1.35, max(costs) * 1.35
    styles = method_styles(point.name for panel in panels for point in panel.points)
    for axes, panel in zip(axes_list, panels, strict=True):
        axes.set_xscale("log")
        axes.set_xlim(left, right)
        _draw(axes, panel, styles, right)
        axes.set_ylabel("accuracy (%)", fontsize=FONT)
    axes_list[-1].set_xlabel("total FLOPs, selection and training", fontsize=FONT)
    legend_below(figure, *_legend(axes_list), columns=4)
    return to_png(figure)


def _draw(axes: Axes, panel: Panel, styles: Mapping[str, tuple[str, str]], right: float) -> None:
    axes.set_title(panel.title, fontsize=FONT + 2, loc="left")
    best = frontier(panel.points)
    staircase(axes, [p.cost for p in best], [p.score for p in best], right)
    for name, (colour, marker) in styles.items():
        own = sorted((p for p in panel.points if p.name == name), key=lambda p: p[:2])
        if not own:
            continue
        is_random = name == "random"
        drawn = panel.curves.get(name) if panel.curves else None
        costs, scores = drawn or ([p.cost for p in own], [p.score for p in own])
        axes.plot(
            costs,
            scores,
            color=colour,
            linestyle="--" if is_random else "-",
            linewidth=1.0,
            alpha=0.8,
            zorder=2,
        )
        axes.plot(
            [p.cost for p in own],
            [p.score for p in own],
            color=colour,
            marker=marker,
            markersize=7.5 if is_random else 6.5,
            markerfacecolor="white" if is_random else colour,
            markeredgewidth=1.6 if is_random else 0.8,
            markeredgecolor=INK if is_random else "white",
            linestyle="none",
            label=plain_label(name),
            zorder=3,
        )
    _references(axes, panel)


def _references(axes: Axes, panel: Panel) -> None:
    """Mark training on everything, and the line of the untrained model."""
    if panel.full_data is not None:
        axes.plot(
            panel.full_data.cost,
            panel.full_data.score,
            marker="*",
            markersize=15,
            color="#F0E442",
            markeredgecolor=INK,
            markeredgewidth=1.0,
            linestyle="none",
            label="full data, no selection",
            zorder=4,
        )
    if panel.zero_shot is not None:
        axes.axhline(
            panel.zero_shot, color=INK, linestyle=":", linewidth=1.2, label="zero-shot", zorder=1
        )


def _legend(axes_list: Sequence[Axes]) -> tuple[list, list[str]]:
    """Every label once, methods first."""
    found = {}
    for axes in axes_list:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    last = ("full data, no selection", "zero-shot", "best so far")
    labels = sorted(found, key=lambda label: (label in last, label != "random", label))
    return [found[label] for label in labels], labels
