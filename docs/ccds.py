"""Write docs/ccds.md, what our accounting and curves make of CCDS's points: `python docs/ccds.py`.

Needs ../shared/reference/ccds_points.csv beside the checkout.
"""

from pathlib import Path

import numpy as np

from selection.costs import ccds
from selection.curves import CurvesFit, Point, fit_curves, frontier
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

HEAD = f"""# The points of Compute-Constrained Data Selection

Written by `python docs/ccds.py` from the 210 points that
[CCDS](https://arxiv.org/abs/2410.16208) published: Llama-2 fine-tuned on parts of
{ccds.POOL_ROWS:,} rows, chosen in five ways; perplexity and gradients are those of the 7B model.

## FLOPs

Our accountant `detailed` against the paper. Gradient selection is charged as
{ccds.GRADIENT_FORWARDS["paper"]:g} forwards of the selector, as in the paper's figures; in theory
it takes {ccds.GRADIENT_FORWARDS["theory"]:g}, which would be
{number(ccds.selection_flops("gradient", accountant="theory"))} FLOPs, and counted literally as LESS
runs {ccds.GRADIENT_FORWARDS["literal"]:g}, which would be
{number(ccds.selection_flops("gradient", accountant="literal"))}. All 210 points agree to the digits
printed of them and of the pool's tokens (9.80e7), but for two: at 13B the total of gradient
selection with 2.5% of the rows is the 7B panel's, 8.384e18 instead of 8.485e18."""

STAIRS = """## Which arms are worth their cost

The arms that no other dominates, by rising total cost. A percentage is the share of the pool
trained on."""

RATES = """Lines are the fitted curves below, moved right by what selection costs.

## How fast each method learns

`P(C) = (P_max - P_0) (1 - exp(-lambda C / C_D)) + P_0` over *training* FLOPs C, with C_D those of
the whole pool. P_0 and P_max are shared by a panel's methods, and fitted, since no zero-shot score
is among the points. The run on all the data, which is every method's last point, counts once (on
BBH with 13B perplexity's is 52.27 where the others have 52.78: digits exchanged, it seems, and left
as they are). Lambda, with 95% intervals; it belongs to its panel, and `predict` refuses another
model size:"""

CROSSINGS = """Total FLOPs from which, by these curves, the costlier method is ahead of the cheaper;
"past the pool" where the cheaper would by then have trained on more than all of it:"""

SHARED_END = """That all methods
end at one P_max is an assumption, too: on MMLU with 70B perplexity learns fastest and levels off
first, so no crossing to gradient is foretold, yet the staircase has one."""

ON_TOTAL = """Fitted on total FLOPs instead, a method's curve is the same curve, and its P_0 is what
that curve says of a model trained for less than nothing,
`P_max - (P_max - P_0) exp(lambda S / C_D)` for a selection cost S: a score that no model has, and
that a fit held above 0 puts at 0. P_0 of each method fitted alone:"""

ADVICE = """## How much larger the trained model should be

The paper advises a trained model of 5 times the selector's parameters for perplexity, and of 10
times for gradients. That is read off the 70B panels, and no law: the staircases above agree for
gradients, but have perplexity at 7B and 13B too."""


def title(panel: tuple[str, str]) -> str:
    """Name a panel: "MMLU, 7B"."""
    return f"{TARGETS[panel[0]]}, {panel[1]}"


def by_method(points: list[ccds.Published], *, total: bool = False) -> dict[str, list]:
    """Cost and accuracy of each method's runs."""
    rows: dict[str, list] = {}
    for p in points:
        rows.setdefault(p.method, []).append(
            (p.total_flops if total else p.train_flops, p.accuracy)
        )
    return rows


def fit(points: list[ccds.Published], *, total: bool = False) -> CurvesFit:
    """All methods of a panel together; the one run on all the data counts once among them."""
    rows = by_method(points, total=total)
    weights = {
        method: [1 / len(rows) if p.fraction == 1 else 1 for p in points if p.method == method]
        for method in rows
    }
    model = points[0].model
    full = None if total else ccds.train_flops(model)
    return fit_curves(rows, weights=weights, cost_full=full, model=model)


def staircase(points: list[ccds.Published]) -> str:
    """Which methods stand on the staircase, by rising cost."""
    kept = frontier([(p.total_flops, p.accuracy, p.method, p.fraction) for p in points])
    names = []
    for _, _, method, fraction in kept:
        if fraction < 1:
            names.append(f"{method} {fraction:.1%}".replace(".0%", "%"))
    return ", ".join([*names, "full data"])


def drawn(panel: tuple[str, str], points: list[ccds.Published], fitted: CurvesFit) -> Panel:
    """One panel of the picture."""
    curves = {}
    for method in fitted.curves:
        own = [p for p in points if p.method == method]
        selection = ccds.selection_flops(method)
        training = np.geomspace(own[0].train_flops, own[-1].train_flops, 60)
        curves[method] = (selection + training, fitted.predict(method, training)[0])
    full = next(p for p in points if p.method == "random" and p.fraction == 1)
    return Panel(
        f"{TARGETS[panel[0]]}, Llama-2 {panel[1]}",
        [Point(p.total_flops, p.accuracy, p.method) for p in points],
        curves=curves,
        full_data=Point(full.total_flops, full.accuracy, "random"),
    )


def rates(fits: dict[tuple[str, str], CurvesFit]) -> str:
    """Lambda of every method and panel, with the ends that they share."""
    header = ["panel", "P_0", "P_max", *ccds.METHODS.values()]
    rows = []
    for panel, fitted in fits.items():
        one = fitted.curves["random"]
        rows.append(
            [
                title(panel),
                f"{one.p0:.2f} ({one.p0_low:.2f} to {one.p0_high:.2f})",
                f"{one.p_max:.2f} ({one.p_max_low:.2f} to {one.p_max_high:.2f})",
                *(
                    f"{c.rate:.1f} ({c.rate_low:.1f} to {c.rate_high:.1f})"
                    for c in fitted.curves.values()
                ),
            ]
        )
    return markdown_table(header, rows)


def crossings(fits: dict[tuple[str, str], CurvesFit]) -> str:
    """Total FLOPs from which the second method of each pair is ahead."""
    rows = []
    for panel, fitted in fits.items():
        cells = []
        for cheap, dear in PAIRS:
            costs = ccds.selection_flops(cheap), ccds.selection_flops(dear)
            met = fitted.crossing(cheap, dear, *costs)
            past = met is not None and met - costs[0] > ccds.train_flops(panel[1])
            cells.append("never" if met is None else number(met) + (" (past the pool)" * past))
        rows.append([title(panel), *cells])
    return markdown_table(["panel", *(f"{b} over {a}" for a, b in PAIRS)], rows)


def zero_points(panels: dict[tuple[str, str], list[ccds.Published]]) -> str:
    """P_0 of the costly methods fitted alone, on training and on total FLOPs."""
    rows = []
    for panel, points in panels.items():
        cells = []
        for method in ("perplexity", "gradient"):
            for total in (False, True):
                alone = {method: by_method(points, total=total)[method]}
                cells.append(fit_curves(alone).curves[method].p0)
        rows.append([title(panel), *cells])
    header = [f"{m}, {c} FLOPs" for m in ("perplexity", "gradient") for c in ("training", "total")]
    return markdown_table(["panel", *header], rows)


def widths(fits: dict[tuple[str, str], CurvesFit]) -> str:
    """How many times the upper end of lambda's intervals is the lower: from and to."""
    ratios = [c.rate_high / c.rate_low for f in fits.values() for c in f.curves.values()]
    return f"{min(ratios):.1f} to {max(ratios):.1f}"


def advice() -> str:
    """What the size ratios say of each model, selected for by the 7B selector."""
    selector = ccds.MODELS[ccds.SELECTOR].parameters
    rows = [
        [
            model,
            shape.parameters / selector,
            *(
                "below" if ccds.size_ratio_advice(m, shape.parameters, selector) else "met"
                for m in ccds.SIZE_RATIOS
            ),
        ]
        for model, shape in ccds.MODELS.items()
    ]
    header = [f"{m}, {r:g} times" for m, r in ccds.SIZE_RATIOS.items()]
    return markdown_table(["trained model", "times the selector", *header], rows)


def main() -> None:
    """Write the page and its pictures."""
    if not POINTS.is_file():
        raise SystemExit("../shared/reference/ccds_points.csv is not beside the checkout")
    panels = ccds.read_points(POINTS)
    fits = {panel: fit(points) for panel, points in panels.items()}
    pictures = []
    for target, name in TARGETS.items():
        own = [panel for panel in panels if panel[0] == target]
        png = cost_panels([drawn(panel, panels[panel], fits[panel]) for panel in own])
        (DOCS / "images" / f"ccds_{target}.png").write_bytes(png)
        pictures.append(f"![{name}: accuracy against total FLOPs](images/ccds_{target}.png)")
    figures = [
        [
            what,
            f"{paper:.3e}".replace("e+", "e"),
            f"{ours:.4e}".replace("e+", "e"),
            100 * (ours / paper - 1),
        ]
        for what, paper, ours in PUBLISHED
    ]
    stairs = [[title(panel), staircase(points)] for panel, points in panels.items()]
    page = [
        HEAD,
        markdown_table(["what", "paper", "ours", "difference, %"], figures),
        STAIRS,
        markdown_table(["panel", "staircase"], stairs),
        *pictures,
        RATES,
        rates(fits),
        CROSSINGS,
        crossings(fits),
        f"The ends of an interval of lambda are {widths(fits)} times apart, and the points were\n"
        f"published without any: a crossing is known no better. {SHARED_END}",
        ON_TOTAL,
        zero_points(panels),
        ADVICE,
        advice(),
    ]
    text = "\n\n".join(page) + "\n"
    (DOCS / "ccds.md").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
