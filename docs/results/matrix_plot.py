"""Picture of a square of shares: what the methods' selections have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selection.reports.plots.style import FONT, label_axes, new_figure, plain_label, to_png

if TYPE_CHECKING:
    from collections.abc import Sequence


def heat_map(names: Sequence[str], share_MM: np.ndarray, *, title: str) -> bytes:
    """Draw shares from 0 to 1 as a labelled square, darker for more.

    Parameters
    ----------
    names : sequence of str, length M
        Of both its rows and its columns.
    share_MM : np.ndarray of shape (M, M)
        NaN leaves a cell empty.
    title : str

    Returns
    -------
    bytes
        PNG.

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
    for i, row in enumerate(share_MM):
        for j, share in enumerate(row):
            if np.isfinite(share):
                axes.text(
                    j,
                    i,
                    f"{share:.2f}",
                    ha="center",
                    va="center",
                    fontsize=FONT - 2,
                    color="white" if share > 0.6 else "black",
                )
    labels = [plain_label(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), labels)
    label_axes(axes, title=title, x="", y="")
    return to_png(figure)
