"""The look that all pictures share: palette, fonts, frame, and PNG bytes that do not vary.

Every function of this folder that draws a picture gives the bytes of a PNG file.

Everything goes through figure objects; pyplot keeps global state, which the threads of a web
server would share.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette ("Color Universal Design", 2008), which colour-blind readers can tell
# apart, less its yellow, too pale for lines on white, and its black, kept for random.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("s", "^", "D", "v", "P", "X", "h")
INK = "#000000"
GREY = "#8a8a8a"
FONT = 9
# Bars and boxes beyond this many would make a picture of a page's height.
MAX_ROWS = 30


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Make an empty figure of the given size in inches, with one set of axes."""
    figure, [axes] = new_panels(width, height, 1)
    return figure, axes


def new_panels(width: float, height: float, n: int) -> tuple[Figure, list[Axes]]:
    """The same with n sets of axes below each other, over one horizontal axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=FONT)
        axes.set_axisbelow(True)
        axes.grid(color="#e6e6e6", linewidth=0.6)
    return figure, panels


def legend_below(figure: Figure, handles: list, labels: list[str], *, columns: int) -> None:
    """Explain the lines and marks below all axes."""
    place = "outside lower center"
    figure.legend(handles, labels, loc=place, ncols=columns, fontsize=FONT, frameon=False)


def staircase(axes: Axes, costs: Sequence[float], heights: Sequence[float], right: float) -> None:
    """Draw the best so far by rising cost, up to the right edge."""
    axes.step(
        [*costs, right],
        [*heights, heights[-1]],
        where="post",
        color=GREY,
        linewidth=5,
        alpha=0.35,
        solid_capstyle="butt",
        label="best so far",
        zorder=1,
    )


def label_axes(axes: Axes, *, title: str, x: str, y: str) -> None:
    """Write the title and the names of both axes."""
    axes.set_title(title, fontsize=FONT + 2, loc="left")
    axes.set_xlabel(x, fontsize=FONT)
    axes.set_ylabel(y, fontsize=FONT)


def to_png(figure: Figure) -> bytes:
    """Render a figure; the same figure gives the same bytes on the same matplotlib."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def plain_label(name: str) -> str:
    """Make a user's name safe as a label: no mathematics between dollar signs, no sprawl."""
    short = name if len(name) <= 32 else name[:31] + "…"
    return short.replace("$", r"\$")


def method_styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Give every method its colour and marker; random is always a black circle.

    The others take theirs by the order of their names, each pair once in 42.
    """
    others = sorted(set(names) - {"random"})
    styles = {
        name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(others)
    }
    return {"random": (INK, "o"), **styles}


def distance_figure(
    distances: Mapping[str, float], *, highlight: str, title: str, bar_height: float
) -> bytes:
    """Draw a labelled bar for each distance, the first on top, `highlight` in colour."""
    from matplotlib.ticker import MaxNLocator

    n = len(distances)
    figure, axes = new_figure(6.4, 1.1 + bar_height * n)
    colours = [PALETTE[0] if name == highlight else "#b9c4cc" for name in distances]
    drawn = axes.barh(range(n), list(distances.values()), color=colours, height=0.7)
    axes.bar_label(drawn, fmt="%.3f", padding=3, fontsize=FONT - 1)
    axes.set_yticks(range(n), [plain_label(name) for name in distances])
    axes.set_ylim(n - 0.5, -0.5)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    label_axes(axes, title=title, x="OT distance (squared Euclidean cost)", y="")
    return to_png(figure)
