"""Picture of the scores: which sources lie above the cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selection.reports.plots.style import (
    FONT,
    INK,
    MAX_ROWS,
    PALETTE,
    new_figure,
    plain_label,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def score_distributions(scores: Mapping[str, np.ndarray], *, cutoff: float | None) -> bytes:
    """Draw every source's scores as a box, with the cut-off and the share above it.

    Boxes span the middle half of a source's rows and whiskers the middle 90 %. The 30 sources with
    the largest share above the cut-off are drawn, and the title says if there are more.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (rows,)
        Source to its rows' scores, higher better.
    cutoff : float or None
        Score of the last selected row; None when nothing was cut off.

    Raises
    ------
    ValueError
        If there is no source, or a source has no row.
    """
    if not scores:
        raise ValueError("scores is empty: there is no source to draw.")
    for name, values in scores.items():
        if len(values) == 0:
            raise ValueError(f"scores[{name!r}] is empty: leave a source without rows out.")
    floor = -np.inf if cutoff is None else cutoff
    share = {name: float(np.mean(values >= floor)) for name, values in scores.items()}
    median = {name: float(np.median(values)) for name, values in scores.items()}
    shown = sorted(scores, key=lambda name: (-share[name], -median[name], name))[:MAX_ROWS]

    figure, axes = new_figure(7.2, 1.2 + 0.3 * len(shown))
    # Drawn from ready-made statistics, because boxplot would copy every row's score.
    fields = ("whislo", "q1", "med", "q3", "whishi")
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    boxes: list[dict[str, float]] = [
        dict(zip(fields, np.quantile(scores[name], levels).tolist(), strict=True)) for name in shown
    ]
    axes.bxp(
        boxes,
        positions=range(len(shown)),
        orientation="horizontal",
        showfliers=False,
        patch_artist=True,
        widths=0.6,
        boxprops={"facecolor": "#cfe3f0", "edgecolor": PALETTE[0]},
        medianprops={"color": INK, "linewidth": 1.4},
        whiskerprops={"color": PALETTE[0]},
        capprops={"color": PALETTE[0]},
    )
    axes.set_yticks(range(len(shown)), [plain_label(name) for name in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    if cutoff is not None:
        axes.axvline(cutoff, color=PALETTE[1], linestyle="--", linewidth=1.4)
        for row, name in enumerate(shown):
            axes.text(
                1.01,
                row,
                f"{share[name]:.1%}",
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=FONT - 1,
            )
        axes.set_title(
            f"cut-off {cutoff:.4g} (dashed), share above it at the right",
            fontsize=FONT,
            loc="left",
        )
    more = f" (the {len(shown)} highest of {len(scores)})" if len(scores) > MAX_ROWS else ""
    figure.suptitle(f"Scores of each source{more}", fontsize=FONT + 2, x=0.01, ha="left")
    axes.set_xlabel("score (higher is better)", fontsize=FONT)
    return to_png(figure)
