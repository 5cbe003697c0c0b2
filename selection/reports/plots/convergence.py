"""Picture of a solve: whether the marginal residual reached the tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selection.reports.plots.style import FONT, INK, PALETTE, label_axes, new_figure, to_png

if TYPE_CHECKING:
    from collections.abc import Sequence


def residual_history(
    residuals: Sequence[float], *, tolerance: float, over_pool: float | None = None
) -> bytes:
    """Draw the marginal residual over the iterations, with the tolerance it had to reach.

    Parameters
    ----------
    residuals : sequence of float
        L1 errors of the marginal, one per iteration. Exact zeros sit on the lower edge.
    tolerance : float
        The residual at which the solve may stop, positive.
    over_pool : float or None
        The certificate: the residual of the result over the whole pool, of which the solve may
        have seen a sample.

    Raises
    ------
    ValueError
        If the history is empty, or the tolerance is not positive.
    """
    from matplotlib.ticker import MaxNLocator

    if len(residuals) == 0:
        raise ValueError("residuals is empty: there is no iteration to draw.")
    if tolerance <= 0:
        raise ValueError(f"tolerance is {tolerance}, and a log axis needs it positive.")
    floor = min(r for r in (*residuals, tolerance) if r > 0) / 2
    figure, axes = new_figure(6.4, 3.2)
    axes.set_yscale("log")
    axes.plot(
        range(1, len(residuals) + 1),
        [max(r, floor) for r in residuals],
        color=PALETTE[0],
        marker="o",
        markersize=4,
        label=f"residual, {residuals[-1]:.2g} at the end",
    )
    axes.axhline(
        tolerance, color=INK, linestyle="--", linewidth=1.2, label=f"tolerance {tolerance:g}"
    )
    if over_pool is not None:
        axes.plot(
            len(residuals),
            max(over_pool, floor),
            color=PALETTE[1],
            marker="D",
            linestyle="none",
            label=f"over the whole pool, {over_pool:.2g}",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=FONT, frameon=False)
    label_axes(
        axes, title="Convergence of the transport plan", x="iteration", y="L1 marginal residual"
    )
    return to_png(figure)
