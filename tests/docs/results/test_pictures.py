"""Pictures of the conclusions: real PNG files, the same bytes every time, refusals."""

import io
import math

import numpy as np
import pytest
from matplotlib.image import imread

from docs.results.evidence import Tally
from docs.results.mean_effect import MeanEffect
from docs.results.pictures import effect_rows, heat_map
from selection.judging.estimates import Estimate
from selection.judging.verdicts import counting_all, verdict_on
from selection.reports.plots.break_even import SharedCost, break_even_lines

LINES = [
    SharedCost("dsir", 0.0, 0.0, 1.0),
    SharedCost("_under $core$", 5e9, 1e8, 40.5),
    SharedCost("perplexity", 0.0, 2e10, math.inf),
    SharedCost("gradient", 9e10, 1e8, None),
    SharedCost("far", 9e12, 1e8, 1e9),
]
MEANS = {
    "ot": (Estimate(-0.2, 0.02, 4.0), (-0.2, -0.25)),
    "_$x$": (Estimate(0.1, math.inf, 1.0), (0.1,)),
    "worse": (Estimate(0.2, 0.02, 4.0), ()),
}
JUDGED = counting_all([verdict_on(mean, level=0.95, n_seeds=3) for mean, _ in MEANS.values()])
EFFECTS = [
    MeanEffect(method, "5pct", judgement, points, raw=Tally(), corrected=Tally())
    for (method, (_, points)), judgement in zip(MEANS.items(), JUDGED, strict=True)
]
PICTURES = {
    "break even": lambda: break_even_lines(LINES, budget=1e11, title="a target at 5pct"),
    "break even of one": lambda: break_even_lines(LINES[:1], budget=1e11, title="free"),
    "effects": lambda: effect_rows(EFFECTS, title="gain"),
    "overlap": lambda: heat_map(["a", "_$b$"], np.array([[1.0, math.nan], [0.2, 1.0]]), title="J"),
    "overlap of one": lambda: heat_map(["a"], np.ones((1, 1)), title="J"),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES.keys())
def test_every_picture_is_a_small_png_with_the_same_bytes_each_time(draw):
    png = draw()
    assert png == draw()
    assert len(png) < 150_000
    pixels = imread(io.BytesIO(png), format="png")
    assert pixels[..., :3].min() < 0.3 < pixels[..., :3].max()


def test_where_a_method_begins_to_pay_is_drawn():
    marked, unmarked = (
        break_even_lines([SharedCost("a", 5e9, 1e8, t)], budget=1e11, title="t")
        for t in (40.5, math.inf)
    )
    assert marked != unmarked


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: break_even_lines([], budget=1.0, title=""), "no method"),
        (lambda: break_even_lines(LINES, budget=0.0, title=""), "budget is 0"),
        (lambda: effect_rows([], title=""), "nothing to draw"),
        (lambda: heat_map(["a"], np.ones((2, 2)), title=""), "1 names"),
        (lambda: heat_map([], np.ones((0, 0)), title=""), "0 names"),
    ],
)
def test_nothing_to_draw_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
