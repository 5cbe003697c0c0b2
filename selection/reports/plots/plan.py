"""How much of each arm's budget goes into selecting, and how much is left to train with?"""

from __future__ import annotations

from collections.abc import Sequence

from selection.costs.arm_plan import ArmPlan
from selection.reports.plots.style import (
    FONT,
    GREY,
    INK,
    MAX_ROWS,
    PALETTE,
    label_axes,
    new_figure,
    plain_label,
    to_png,
)


def budget_bars(arms: Sequence[ArmPlan]) -> bytes:
    """Draw a bar an arm: its selection, its training, and a mark where its budget ends.

    An infeasible arm shows what its selection alone would cost, in grey. PNG bytes.

    Parameters
    ----------
    arms : of the plan, at least one; the first `MAX_ROWS` of them are drawn.
    """
    drawn = list(arms)[:MAX_ROWS]
    figure, axes = new_figure(7.2, 1.2 + 0.28 * len(drawn))
    places = list(range(len(drawn)))[::-1]
    for place, arm in zip(places, drawn, strict=True):
        colours = PALETTE[:2] if arm.feasible else (GREY, GREY)
        axes.barh(place, arm.selection_flops, color=colours[1], height=0.7)
        axes.barh(place, arm.training_flops, left=arm.selection_flops, color=colours[0], height=0.7)
        axes.plot([arm.total_flops] * 2, [place - 0.45, place + 0.45], color=INK, linewidth=1.2)
    axes.set_yticks(places, [plain_label(f"{arm.method} at {arm.budget}") for arm in drawn])
    axes.tick_params(axis="y", labelsize=FONT)
    for colour, label in zip(PALETTE[:2], ("training, one seed", "selection"), strict=True):
        axes.barh([0], [0], color=colour, label=label)
    axes.plot([], [], color=INK, label="budget")
    figure.legend(fontsize=FONT, frameon=False, loc="outside lower center", ncols=3)
    left_out = f" (first {MAX_ROWS} of {len(arms)})" if len(arms) > len(drawn) else ""
    label_axes(axes, title=f"What each arm would spend{left_out}", x="FLOPs", y="")
    return to_png(figure)
