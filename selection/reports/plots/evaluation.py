"""Pictures of one arm: its loss before and after training, and how near its rows came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selection.reports.plots.style import (
    FONT,
    GREY,
    PALETTE,
    distance_figure,
    label_axes,
    new_figure,
    plain_label,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def before_after(before: float, after: Sequence[float], seeds: Sequence[int]) -> bytes:
    """Draw the target loss of the base model and of every seed's trained model.

    Parameters
    ----------
    before : float
        Loss of the base model in nats per token; it has no seed.
    after : sequence of float
        Loss after training, one per seed.
    seeds : sequence of int
        The seeds, as many as losses.

    Raises
    ------
    ValueError
        If there is no loss, or not one per seed.
    """
    if not after or len(after) != len(seeds):
        raise ValueError(f"there are {len(after)} losses for {len(seeds)} seeds: give one each.")
    figure, axes = new_figure(6.4, 1.3 + 0.3 * len(after))
    rows = range(len(after))
    axes.hlines(rows, after, before, color="#c9d3da", linewidth=2, zorder=1)
    axes.scatter([before] * len(after), rows, color=GREY, marker="o", label="before", zorder=2)
    axes.scatter(after, rows, color=PALETTE[0], marker="s", label="after", zorder=2)
    for row, loss in zip(rows, after, strict=True):
        axes.annotate(
            f"{loss:.4f}",
            (loss, row),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=FONT - 1,
        )
    axes.set_yticks(rows, [f"seed {seed}" for seed in seeds])
    axes.set_ylim(len(after) - 0.4, -0.8)
    axes.margins(x=0.1)
    axes.grid(visible=False, axis="y")
    axes.legend(fontsize=FONT, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    label_axes(axes, title=f"Target loss, {before:.4f} before training", x="nats per token", y="")
    return to_png(figure)


def distance_bars(distances: Mapping[str, float], *, highlight: str) -> bytes:
    """Draw the OT distance to the target of the pool, of random rows and of the subset.

    Parameters
    ----------
    distances : mapping of str to float
        Name of a set of rows to its distance, drawn in this order from the top.
    highlight : str
        The set in colour.

    Raises
    ------
    ValueError
        If `highlight` is not among the sets.
    """
    if highlight not in distances:
        raise ValueError(f"highlight is {highlight!r}, and the sets are {sorted(distances)}.")
    title = f"How near {plain_label(highlight)} is to the target"
    return distance_figure(distances, highlight=highlight, title=title, bar_height=0.3)
