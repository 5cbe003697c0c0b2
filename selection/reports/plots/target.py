"""Pictures of the target: its row lengths, its spectrum, its distance to every source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selection.reports.plots.style import (
    FONT,
    INK,
    MAX_ROWS,
    PALETTE,
    distance_figure,
    label_axes,
    new_figure,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike


def length_histogram(n_words: ArrayLike) -> bytes:
    """Draw how long the target's rows are.

    Parameters
    ----------
    n_words : array_like of shape (m,)
        Words and punctuation marks of each row.

    Raises
    ------
    ValueError
        If there is no row.
    """
    n_words = np.asarray(n_words)
    if n_words.size == 0:
        raise ValueError("n_words is empty: there is no row to draw.")
    figure, axes = new_figure(6.4, 3.2)
    # Bins are whole numbers of words, so that no bar is taller for covering one length more.
    low, high = int(n_words.min()), int(n_words.max())
    step = max(1, -(-(high - low + 1) // 40))
    edges = np.arange(low, high + step + 1, step) - 0.5
    axes.hist(n_words, bins=edges.tolist(), color=PALETTE[0])
    median = float(np.median(n_words))
    axes.axvline(median, color=INK, linestyle="--", linewidth=1.2, label=f"median {median:g}")
    axes.legend(fontsize=FONT, frameon=False)
    label_axes(
        axes,
        title=f"Length of the {len(n_words):,} target rows",
        x="words and punctuation marks",
        y="rows",
    )
    return to_png(figure)


def spectrum(eigenvalues: ArrayLike, effective_rank: float) -> bytes:
    """Draw how many directions the target's embeddings spread over.

    Parameters
    ----------
    eigenvalues : array_like of shape (r,)
        Covariance spectrum, largest first.
    effective_rank : float
        Marked on the picture.

    Raises
    ------
    ValueError
        If there is no eigenvalue.
    """
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    if eigenvalues.size == 0:
        raise ValueError("eigenvalues is empty: there is no spectrum to draw.")
    total = eigenvalues.sum()
    explained = np.cumsum(eigenvalues) / total if total > 0 else np.ones_like(eigenvalues)
    figure, axes = new_figure(6.4, 3.2)
    axes.plot(np.arange(1, len(explained) + 1), 100 * explained, color=PALETTE[0])
    axes.axvline(
        effective_rank,
        color=INK,
        linestyle="--",
        linewidth=1.2,
        label=f"effective rank {effective_rank:.1f}",
    )
    axes.set_ylim(0, 103)
    axes.legend(fontsize=FONT, frameon=False, loc="lower right")
    label_axes(
        axes,
        title="Spread of the target over embedding directions",
        x="leading directions",
        y="variance explained (%)",
    )
    return to_png(figure)


def source_distance_bars(distances: Mapping[str, float]) -> bytes:
    """Draw the OT distance of every source to the target, nearest on top and in colour.

    Parameters
    ----------
    distances : mapping of str to float
        Source to distance. The 30 nearest are drawn, and the title says if there are more.

    Raises
    ------
    ValueError
        If there is no source.
    """
    if not distances:
        raise ValueError("distances is empty: there is no source to draw.")
    by_distance = dict(sorted(distances.items(), key=lambda item: (item[1], item[0])))
    shown = dict(list(by_distance.items())[:MAX_ROWS])
    more = f" (the {len(shown)} nearest of {len(distances)})" if len(distances) > MAX_ROWS else ""
    title = f"Distance of each source to the target{more}"
    return distance_figure(shown, highlight=next(iter(shown)), title=title, bar_height=0.26)
