"""What do our accounting and curves make of CCDS's points? `python docs/ccds.py`, for docs/ccds.md.

The page's wording is written by hand; its figures stand between comments, and are written here.
Needs ../shared/reference/ccds_points.csv beside the checkout.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.results.markers import put_part
from selection.costs import ccds
from selection.curves import CurveFit, Point, crossing, fit_curves, frontier
from selection.reports.numbers import number
from selection.reports.plots.panels import Panel, cost_panels
from selection.reports.tables import markdown_table

DOCS = Path(__file__).resolve().parent
POINTS = DOCS.parents[1] / "shared" / "reference" / "ccds_points.csv"
TARGETS = {"mmlu": "MMLU", "bbh": "BBH", "ifeval": "IFEval"}
PAIRS = (
    ("random", "perplexity"),
    ("random", "gradient"),
    ("embedding", "perplexity"),
    ("embedding", "gradient"),
    ("perplexity", "gradient"),
)
PUBLISHED = (
    ("one epoch, 7B", 4.593e18, ccds.train_flops("7B")),
    ("one epoch, 13B", 8.638e18, ccds.train_flops("13B")),
    ("one epoch, 70B", 4.926e19, ccds.train_flops("70B")),
    ("perplexity selection, 7B", 1.531e18, ccds.selection_flops("perplexity")),
    ("gradient selection, 7B", 8.269e18, ccds.selection_flops("gradient")),
)


def title(panel: tuple[str, str]) -> str:
    """Name a panel: "MMLU, 7B"."""
    return f"{TARGETS[panel[0]]}, {panel[1]}"


def by_method(points: list[ccds.Published], *, total: bool = False) -> dict[str, list]:
    """Cost and accuracy of each method's runs."""
    rows: dict[str, list] = {}
    for p in points:
        cost = p.total_flops if total else p.train_flops
        rows.setdefault(p.method, []).append((cost, p.accuracy))
    return rows


def fit(points: list[ccds.Published]) -> dict[str, CurveFit]:
    """All methods of a panel together; the one run on all the data counts once among them."""
    rows = by_method(points)
    weights = {
        method: [1 / len(rows) if p.fraction == 1 else 1 for p in points if p.method == method]
        for method in rows
    }
    model = points[0].model
    return fit_curves(rows, weights=weights, cost_full=ccds.train_flops(model), model=model)


def staircase(points: list[ccds.Published]) -> str:
    """Which methods stand on the staircase, by rising cost."""
    kept = frontier([(p.total_flops, p.accuracy, p.method, p.fraction) for p in points])
    names = [f"{method} {100 * share:g}%" for _, _, method, share in kept if share < 1]
    return ", ".join([*names, "full data"])


def drawn(
    panel: tuple[str, str], points: list[ccds.Published], fitted: dict[str, CurveFit]
) -> Panel:
    """One panel of the picture."""
    curves = {}
    for method, curve in fitted.items():
        own = [p for p in points if p.method == method]
        selection = ccds.selection_flops(method)
        training = np.geomspace(own[0].train_flops, own[-1].train_flops, 60)
        curves[method] = (selection + training, curve.predict(training)[0])
    full = next(p for p in points if p.method == "random" and p.fraction == 1)
    return Panel(
        f"{TARGETS[panel[0]]}, Llama-2 {panel[1]}",
        [Point(p.total_flops, p.accuracy, p.method) for p in points],
        curves=curves,
        full_data=Point(full.total_flops, full.accuracy, "random"),
    )


def rates(fits: dict[tuple[str, str], dict[str, CurveFit]]) -> str:
    """Lambda of every method and panel, with the ends that they share."""
    header = ["panel", "P_0", "P_max", *ccds.METHODS.values()]
    rows = []
    for panel, fitted in fits.items():
        curves = fitted.values()
        one = fitted["random"]
        p0 = f"{one.p0:.2f} ({one.p0_low:.2f} to {one.p0_high:.2f})"
        p_max = f"{one.p_max:.2f} ({one.p_max_low:.2f} to {one.p_max_high:.2f})"
        own = [f"{c.rate:.1f} ({c.rate_low:.1f} to {c.rate_high:.1f})" for c in curves]
        rows.append([title(panel), p0, p_max, *own])
    return markdown_table(header, rows)


def crossings(fits: dict[tuple[str, str], dict[str, CurveFit]]) -> str:
    """Total FLOPs from which the second method of each pair is ahead."""
    rows = []
    for panel, fitted in fits.items():
        cells = []
        for cheap, dear in PAIRS:
            costs = ccds.selection_flops(cheap), ccds.selection_flops(dear)
            met = crossing(fitted[cheap].rate, fitted[dear].rate, *costs)
            past = met is not None and met - costs[0] > ccds.train_flops(panel[1])
            cells.append("never" if met is None else number(met) + (" (past the pool)" * past))
        rows.append([title(panel), *cells])
    return markdown_table(["panel", *(f"{b} over {a}" for a, b in PAIRS)], rows)


def zero_points(panels: dict[tuple[str, str], list[ccds.Published]]) -> str:
    """P_0 of the costly methods fitted alone, on training and on total FLOPs."""
    fitted = list(product(("perplexity", "gradient"), ("training", "total")))
    rows = []
    for panel, points in panels.items():
        cells = []
        for method, cost in fitted:
            alone = {method: by_method(points, total=cost == "total")[method]}
            cells.append(fit_curves(alone)[method].p0)
        rows.append([title(panel), *cells])
    return markdown_table(["panel", *(f"{m}, {c} FLOPs" for m, c in fitted)], rows)


def widths(fits: dict[tuple[str, str], dict[str, CurveFit]]) -> str:
    """How many times the upper end of lambda's intervals is the lower: from and to."""
    ratios = [c.rate_high / c.rate_low for f in fits.values() for c in f.values()]
    span = f"{min(ratios):.1f} to {max(ratios):.1f}"
    return f"The ends of an interval of lambda are {span} times apart."


def advice() -> str:
    """What the size ratios say of each model, selected for by the 7B selector."""
    selector = ccds.MODELS[ccds.SELECTOR].parameters
    rows = []
    for model, shape in ccds.MODELS.items():
        size = shape.parameters
        said = [ccds.size_ratio_advice(m, size, selector) for m in ccds.SIZE_RATIOS]
        rows.append([model, size / selector, *("below" if each else "met" for each in said)])
    header = [f"{m}, {r:g} times" for m, r in ccds.SIZE_RATIOS.items()]
    return markdown_table(["trained model", "times the selector", *header], rows)


def charged() -> str:
    """What gradient selection is charged, and would be by the other ways of counting it."""
    forwards = ccds.GRADIENT_FORWARDS
    flops = {way: ccds.selection_flops("gradient", accountant=way) for way in forwards}
    return (
        f"Gradient selection is charged as {forwards['paper']:g} forwards of the selector, as in "
        f"the paper's figures; in theory it takes {forwards['theory']:g}, which would be "
        f"{number(flops['theory'])} FLOPs, and counted literally as LESS runs "
        f"{forwards['literal']:g}, which would be {number(flops['literal'])}."
    )


def published() -> str:
    """Our counts beside the paper's."""
    rows = []
    for what, paper, ours in PUBLISHED:
        printed = [f"{paper:.3e}".replace("e+", "e"), f"{ours:.4e}".replace("e+", "e")]
        rows.append([what, *printed, 100 * (ours / paper - 1)])
    return markdown_table(["what", "paper", "ours", "difference, %"], rows)


def main() -> None:
    """Write the page's figures and its pictures."""
    if not POINTS.is_file():
        raise SystemExit("../shared/reference/ccds_points.csv is not beside the checkout")
    panels = ccds.read_points(POINTS)
    fits = {panel: fit(points) for panel, points in panels.items()}
    for target in TARGETS:
        own = [panel for panel in panels if panel[0] == target]
        png = cost_panels([drawn(panel, panels[panel], fits[panel]) for panel in own])
        (DOCS / "images" / f"ccds_{target}.png").write_bytes(png)
    stairs = [[title(panel), staircase(points)] for panel, points in panels.items()]
    parts = {
        "charged": charged(),
        "published": published(),
        "staircase": markdown_table(["panel", "staircase"], stairs),
        "rates": rates(fits),
        "crossings": crossings(fits),
        "widths": widths(fits),
        "zero points": zero_points(panels),
        "advice": advice(),
    }
    file = DOCS / "ccds.md"
    page = file.read_text(encoding="utf-8")
    for name, text in parts.items():
        page = put_part(page, name, text)
    file.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
