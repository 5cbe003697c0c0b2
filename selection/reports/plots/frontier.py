"""Picture of the study's answer: total FLOPs against target loss, every arm with its interval."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from selection.curves import frontier
from selection.reports.plots.style import (
    FONT,
    INK,
    label_axes,
    legend_below,
    method_styles,
    new_figure,
    plain_label,
    staircase,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from selection.curves import Point


def loss_frontier(
    points: Sequence[Point],
    *,
    apart: Sequence[Point] = (),
    zero_shot: float | None = None,
    full_data: float | None = None,
) -> bytes:
    """Draw the arms, the staircase of those that no other dominates, and the two reference lines.

    A reference loss far outside the arms' range is written at the edge instead of drawn, so that
    it does not squash the arms into a line.

    Parameters
    ----------
    points : sequence of Point
        One per arm, made by `selection.curves.loss_point`: ``score`` is minus the loss in nats per
        token, ``name`` the method, ``cost`` the total FLOPs, positive.
    apart : sequence of Point
        Arms that are not compared, as they have not spent what they were given: crosses beside the
        others, on no line and never on the staircase.
    zero_shot, full_data : float, optional
        Loss of the base model, and of training on the whole pool.

    Raises
    ------
    ValueError
        If there is no point, or a cost is not positive (the axis is logarithmic).
    """
    drawn = [*points, *apart]
    if not drawn:
        raise ValueError("points is empty: there is no arm to draw.")
    for point in drawn:
        if point.cost <= 0:
            raise ValueError(f"{point} costs nothing, which a log axis cannot show.")
    figure, axes = new_figure(7.6, 4.6)
    axes.set_xscale("log")
    best = frontier(points)
    lowest, highest = min(p.cost for p in drawn), max(p.cost for p in drawn)
    left, right = lowest / 1.35, highest * 1.35
    axes.set_xlim(left, right)
    if best:
        staircase(axes, [p.cost for p in best], [-p.score for p in best], right)
    shifts = _side_by_side(drawn, math.log(right / left))
    for name, (colour, marker) in method_styles(shifts).items():
        own = sorted((p for p in points if p.name == name), key=lambda p: p[:2])
        if own:
            _draw_method(axes, own, [p.cost * shifts[name] for p in own], colour, marker)
        beside = [p for p in apart if p.name == name]
        if beside:
            costs, losses = [p.cost * shifts[name] for p in beside], [-p.score for p in beside]
            label = f"{plain_label(name)}, underspent"
            axes.scatter(costs, losses, color=colour, marker="x", label=label, zorder=3)
    _draw_references(axes, {"zero-shot": zero_shot, "full data": full_data})
    label_axes(
        axes,
        title="Target loss against total cost",
        x="total FLOPs, selection and training (equal costs are drawn side by side)",
        y="target loss (nats per token), lower is better",
    )
    legend_below(figure, *axes.get_legend_handles_labels(), columns=4)
    return to_png(figure)


def _side_by_side(points: Sequence[Point], log_range: float) -> dict[str, float]:
    """Give each method a factor near one for its costs, so that intervals do not hide each other.

    Arms of one budget cost nearly the same whatever the method. Random keeps its place, the others
    stand to its left and right, 1 % of the axis apart; no one moves where no costs collide.
    """
    names = sorted({p.name for p in points} - {"random"})
    by_cost = sorted(points, key=lambda p: p[:3])
    collide = any(
        a.name != b.name and math.log(b.cost / a.cost) < 0.01 * log_range
        for a, b in itertools.pairwise(by_cost)
    )
    steps = [(i // 2 + 1) * (-1 if i % 2 else 1) for i in range(len(names))]
    gap = 0.01 * log_range if collide else 0.0
    return {"random": 1.0, **{n: math.exp(s * gap) for n, s in zip(names, steps, strict=True)}}


def _draw_method(
    axes: Axes, points: list[Point], costs: list[float], colour: str, marker: str
) -> None:
    """Draw one method's arms at the given costs, joined by a line; random's by a dashed one."""
    is_random = points[0].name == "random"
    axes.errorbar(
        costs,
        [-p.score for p in points],
        # Score intervals are upside down as loss intervals; an arm without one has length zero.
        yerr=[
            [p.high - p.score if p.high is not None else 0.0 for p in points],
            [p.score - p.low if p.low is not None else 0.0 for p in points],
        ],
        color=colour,
        marker=marker,
        markersize=9 if is_random else 6.5,
        markerfacecolor="white" if is_random else colour,
        markeredgewidth=1.8 if is_random else 0.8,
        markeredgecolor=INK if is_random else "white",
        linestyle="--" if is_random else "-",
        linewidth=1.4 if is_random else 0.9,
        elinewidth=1.2,
        capsize=4 if is_random else 2.5,
        label=plain_label(points[0].name),
        zorder=2 if is_random else 3,
    )


def _draw_references(axes: Axes, losses: dict[str, float | None]) -> None:
    """Draw horizontal lines labelled at the right, or note those that are out of range."""
    low, high = axes.get_ylim()
    reach = 0.6 * (high - low)
    known = {name: loss for name, loss in losses.items() if loss is not None}
    near = [loss for loss in known.values() if low - reach <= loss <= high + reach]
    pad = 0.05 * (high - low)
    low, high = min([low, *(y - pad for y in near)]), max([high, *(y + pad for y in near)])
    axes.set_ylim(low, high)
    lowest_free = 0.0
    for i, (name, loss) in enumerate(sorted(known.items(), key=lambda item: item[1]), start=1):
        arrow = " ↑" if loss > high else " ↓" if loss < low else ""
        if not arrow:
            axes.axhline(loss, color=INK, linestyle=":", linewidth=1.2, zorder=1)
        # A label is two lines, 8 % of the axis high: it is moved up off the one below, and leaves
        # room for those above.
        height = min(
            max((loss - low) / (high - low) - 0.04, lowest_free), 0.92 - 0.1 * (len(known) - i)
        )
        lowest_free = height + 0.1
        axes.text(
            1.01,
            height,
            f"{name}{arrow}\n{loss:.4f}",
            transform=axes.transAxes,
            va="bottom",
            fontsize=FONT - 1,
        )
