"""Pictures: real PNG files, the same bytes every time, small, and free of global state."""

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from places import REPOSITORY

from selection.costs.arm_plan import ArmPlan
from selection.curves import loss_point
from selection.reports.plots.convergence import residual_history
from selection.reports.plots.evaluation import before_after, distance_bars
from selection.reports.plots.frontier import loss_frontier
from selection.reports.plots.plan import budget_bars
from selection.reports.plots.scores import score_distributions
from selection.reports.plots.style import method_styles, plain_label
from selection.reports.plots.target import length_histogram, source_distance_bars, spectrum

RNG = np.random.default_rng(31)
N_WORDS = RNG.integers(3, 300, 200)
SCORES = {name: RNG.normal(i, 1.0, 300) for i, name in enumerate(("a", "b_$x$", "_c"))}
ARMS = [
    loss_point(budget * factor, loss, name, low=loss - 0.02, high=loss + 0.03)
    for budget, base in ((1e12, 6.5), (4e12, 6.3))
    for name, factor, loss in (
        ("random", 1.0, base),
        ("ot", 1.001, base - 0.1),
        ("_under $core$", 1.4, base + 0.1),
    )
]

PLANNED = [
    ArmPlan("random", "5pct", 6e11, 0.0, 6e11, 100, 700, True, "", "detailed"),
    ArmPlan("ot", "5pct", 6e11, 1.5e10, 5.85e11, 100, 690, True, "", "detailed"),
    ArmPlan("_$dear$", "5pct", 6e11, 8e11, 0.0, 0, 0, False, "too dear", "detailed"),
]

PICTURES = {
    "row lengths": lambda: length_histogram(N_WORDS),
    "one row length": lambda: length_histogram([7]),
    "spectrum": lambda: spectrum([0.5, 0.3, 0.0], 1.9),
    "flat spectrum": lambda: spectrum([0.0], 0.0),
    "source distances": lambda: source_distance_bars({"a": 0.3, "b $x$": 0.2}),
    "many sources": lambda: source_distance_bars({f"source {i}": 0.1 + i for i in range(300)}),
    "residuals": lambda: residual_history((0.5, 0.1, 0.0), tolerance=1e-3, over_pool=0.02),
    "before and after": lambda: before_after(9.2, [6.2, 6.3, 6.1], [0, 1, 2]),
    "distances": lambda: distance_bars({"pool": 0.8, "ot": 0.5}, highlight="ot"),
    "scores": lambda: score_distributions(SCORES, cutoff=1.5),
    "plan": lambda: budget_bars(PLANNED),
    "plan of many arms": lambda: budget_bars(PLANNED * 40),
    "scores uncut": lambda: score_distributions({"a": np.zeros(1)}, cutoff=None),
    "frontier": lambda: loss_frontier(ARMS, zero_shot=9.2, full_data=6.15),
    "frontier of one arm": lambda: loss_frontier([loss_point(1e12, 6.2, "ot")]),
    "frontier with arms apart": lambda: loss_frontier(ARMS[:-1], apart=ARMS[-1:]),
    "frontier of arms apart": lambda: loss_frontier([], apart=ARMS),
    "frontier with references that touch": lambda: loss_frontier(
        ARMS, zero_shot=6.61, full_data=6.6
    ),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES.keys())
def test_every_picture_is_a_small_png_with_the_same_bytes_each_time(draw):
    png = draw()
    assert png == draw()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < 150_000
    assert b"Software" not in png and b"matplotlib" not in png
    pixels = imread(io.BytesIO(png), format="png")
    assert pixels[..., :3].min() < 0.3 < pixels[..., :3].max()  # ink on paper, not a blank page


def test_another_process_draws_the_same_bytes_and_never_loads_pyplot():
    program = (
        "import hashlib, sys\n"
        "from selection.reports.plots.target import source_distance_bars\n"
        "png = source_distance_bars({'a': 0.3, 'b': 0.2})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(hashlib.sha256(png).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    here = hashlib.sha256(source_distance_bars({"a": 0.3, "b": 0.2})).hexdigest()
    assert done.stdout.strip() == here


def test_a_picture_shows_its_data():
    assert loss_frontier(ARMS) != loss_frontier(ARMS[:3])
    assert loss_frontier(ARMS[:3]) != loss_frontier(ARMS[:3], apart=ARMS[3:]) != loss_frontier(ARMS)
    assert loss_frontier(ARMS, zero_shot=6.7) != loss_frontier(ARMS)
    assert score_distributions(SCORES, cutoff=1.0) != score_distributions(SCORES, cutoff=2.0)


def test_the_order_of_the_arms_does_not_change_the_frontier():
    assert loss_frontier(ARMS[::-1], full_data=6.2) == loss_frontier(ARMS, full_data=6.2)


def test_every_method_has_its_own_colour_and_marker_and_random_is_black():
    styles = method_styles([f"method {i}" for i in range(42)] + ["random"])
    assert len(set(styles.values())) == 43
    assert styles["random"] == ("#000000", "o")


def test_a_name_is_cut_and_never_read_as_mathematics():
    assert plain_label("$x$") == r"\$x\$"
    assert len(plain_label("a" * 100)) == 32


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: length_histogram([]), "n_words is empty"),
        (lambda: spectrum([], 1.0), "eigenvalues is empty"),
        (lambda: source_distance_bars({}), "distances is empty"),
        (lambda: residual_history([], tolerance=1e-3), "residuals is empty"),
        (lambda: residual_history([0.1], tolerance=0.0), "tolerance is 0"),
        (lambda: before_after(9.0, [6.0], [0, 1]), "1 losses for 2 seeds"),
        (lambda: distance_bars({"pool": 1.0}, highlight="ot"), "highlight is 'ot'"),
        (lambda: score_distributions({}, cutoff=None), "scores is empty"),
        (lambda: score_distributions({"a": np.empty(0)}, cutoff=None), r"scores\['a'\] is empty"),
        (lambda: loss_frontier([]), "points is empty"),
        (lambda: loss_frontier([loss_point(0.0, 6.0, "ot")]), "costs nothing"),
    ],
)
def test_nothing_to_draw_is_an_error_that_says_so(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
