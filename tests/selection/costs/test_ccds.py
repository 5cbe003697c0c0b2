"""The paper's points: our FLOPs against its own, its staircases, rates, pictures and advice."""

import io
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from places import SHARED

from selection.costs import ccds
from selection.costs.ccds import selection_flops, size_ratio_advice, train_flops
from selection.curves import Point, fit_curves, frontier
from selection.reports.plots.panels import Panel, cost_panels

POINTS = SHARED / "reference" / "ccds_points.csv"
# The pool's tokens are published as 9.80e7: half a unit of the last digit, relative.
TOKENS_ROUNDED = 0.005 / 9.80
FULL = "full data"

needs_points = pytest.mark.skipif(
    not POINTS.is_file(), reason="../shared/reference/ccds_points.csv is not beside the checkout"
)


@pytest.fixture(scope="module")
def panels():
    return ccds.read_points(POINTS)


def last_digit(value):
    """Half a unit of the last digit that a figure of the file is printed with, zeros cut."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.5 * 10.0**exponent


@pytest.mark.parametrize(
    ("ours", "published"),
    [
        (train_flops("7B"), 4.593e18),
        (train_flops("13B"), 8.638e18),
        (train_flops("70B"), 4.926e19),
        (selection_flops("perplexity"), 1.531e18),
        (selection_flops("gradient"), 8.269e18),
    ],
)
def test_the_five_published_figures_come_out_of_our_accountant(ours, published):
    assert ours == pytest.approx(published, rel=1e-3)


def test_gradient_selection_has_three_accountants():
    one = selection_flops("perplexity")
    assert selection_flops("gradient", accountant="theory") == pytest.approx(3 * one)
    assert selection_flops("gradient", accountant="literal") == pytest.approx(12.6 * one)
    assert selection_flops("perplexity", accountant="literal") == one
    assert selection_flops("gradient", selector="13B") == pytest.approx(
        5.4 * train_flops("13B") / 3
    )
    with pytest.raises(ValueError, match=r"'measured'.*literal.*paper.*theory"):
        selection_flops("gradient", accountant="measured")
    with pytest.raises(ValueError, match=r"'less'.*gradient"):
        selection_flops("less")


@needs_points
def test_all_points_are_there(panels):
    assert sum(map(len, panels.values())) == 210
    assert list(panels) == [
        *(("mmlu", model) for model in ccds.MODELS),
        *(("bbh", model) for model in ccds.MODELS),
        ("ifeval", "7B"),
    ]
    for points in panels.values():
        assert {(p.method, p.fraction) for p in points} == {
            (method, fraction)
            for method in ccds.METHODS.values()
            for fraction in (0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
        }


@needs_points
def test_every_training_cost_is_ours_to_the_printed_digits(panels):
    for points in panels.values():
        for p in points:
            tolerance = TOKENS_ROUNDED * p.train_flops + last_digit(p.train_flops)
            assert abs(p.train_flops - train_flops(p.model, p.fraction)) <= tolerance, p


@needs_points
def test_every_selection_cost_but_two_is_ours_to_the_printed_digits(panels):
    odd = []
    for points in panels.values():
        for p in points:
            # The file's selection cost is total less training, and carries the rounding of both.
            rounded = last_digit(p.total_flops) + last_digit(p.train_flops)
            if p.method in ("perplexity", "gradient"):
                rounded += last_digit(p.selection_flops)
            difference = p.total_flops - p.train_flops
            assert p.selection_flops == pytest.approx(difference, abs=rounded)
            tolerance = TOKENS_ROUNDED * p.selection_flops + rounded
            if abs(p.selection_flops - selection_flops(p.method)) > tolerance:
                odd.append(p)
    assert {(p.target, p.model, p.method, p.fraction) for p in odd} == {
        ("mmlu", "13B", "gradient", 0.025),
        ("bbh", "13B", "gradient", 0.025),
    }
    # Both carry the total of the 7B panel's point.
    same = [p for p in panels["mmlu", "7B"] if (p.method, p.fraction) == ("gradient", 0.025)]
    assert {p.total_flops for p in odd} == {same[0].total_flops}


def staircase(points):
    """Methods with their percentages, by rising cost; all runs on the whole pool are one."""
    kept = frontier([(p.total_flops, p.accuracy, p.method, p.fraction) for p in points])
    named = [FULL if share == 1 else f"{name} {100 * share:g}" for _, _, name, share in kept]
    return list(dict.fromkeys(named))


@needs_points
def test_with_7b_on_mmlu_neither_perplexity_nor_gradient_is_worth_its_cost(panels):
    assert staircase(panels["mmlu", "7B"]) == [
        *("embedding 2.5", "embedding 5", "bm25 10", "embedding 25", "embedding 50", FULL)
    ]


@needs_points
def test_with_70b_on_mmlu_embedding_then_perplexity_then_gradient_then_everything(panels):
    assert staircase(panels["mmlu", "70B"]) == [
        *("embedding 2.5", "embedding 5", "perplexity 5", "perplexity 10"),
        *("gradient 10", "gradient 25", "gradient 50", FULL),
    ]


@needs_points
@pytest.mark.parametrize(
    ("panel", "expected"),
    [
        (
            ("mmlu", "13B"),
            "bm25 2.5, bm25 5, bm25 10, bm25 25, perplexity 25, bm25 50, perplexity 50",
        ),
        (
            ("bbh", "7B"),
            "embedding 2.5, embedding 5, embedding 10, embedding 25, perplexity 10, "
            "embedding 50, perplexity 50",
        ),
        (("bbh", "13B"), "bm25 2.5, embedding 5, embedding 10, embedding 25, embedding 50"),
        (
            ("bbh", "70B"),
            "embedding 2.5, embedding 5, perplexity 5, perplexity 10, gradient 10, "
            "perplexity 25, gradient 25, perplexity 50, gradient 50",
        ),
        (
            ("ifeval", "7B"),
            "embedding 2.5, embedding 5, random 10, random 25, bm25 50, perplexity 50",
        ),
    ],
)
def test_the_other_staircases(panels, panel, expected):
    assert staircase(panels[panel]) == [*expected.split(", "), FULL]


@needs_points
def test_training_on_everything_without_selection_ends_every_staircase(panels):
    for points in panels.values():
        kept = frontier([(p.total_flops, p.accuracy, p.method, p.fraction) for p in points])
        last = {(method, fraction) for _, score, method, fraction in kept if score == kept[-1][1]}
        assert last == {("random", 1.0), ("bm25", 1.0), ("embedding", 1.0)}


@needs_points
def test_curves_of_every_panel_have_rates_and_random_learns_slowest_of_mmlu(panels):
    for (target, model), points in panels.items():
        rows = {}
        for p in points:
            rows.setdefault(p.method, []).append((p.train_flops, p.accuracy))
        weights = {method: [1, 1, 1, 1, 1, 0.2] for method in rows}
        fit = fit_curves(rows, weights=weights, cost_full=train_flops(model), model=model)
        assert all(curve.determined for curve in fit.values())
        first, last = points[0].accuracy, points[5].accuracy
        assert fit["random"].p_max == pytest.approx(last, abs=0.15 * abs(last - first) + 0.3)
        if target == "mmlu":
            rates = {method: curve.rate for method, curve in fit.items()}
            assert min(rates, key=lambda method: rates[method]) == "random"
        with pytest.raises(ValueError, match="does not transfer across model sizes"):
            fit["random"].predict(1e18, model="34B")


@needs_points
def test_on_total_flops_the_start_is_no_score(panels):
    for target in ("mmlu", "bbh", "ifeval"):
        own = [p for p in panels[target, "7B"] if p.method == "gradient"]
        trained = fit_curves({"gradient": [(p.train_flops, p.accuracy) for p in own]})
        total = fit_curves({"gradient": [(p.total_flops, p.accuracy) for p in own]})
        assert trained["gradient"].p0 > 15
        assert total["gradient"].p0 < -400


@pytest.mark.parametrize(
    ("method", "trained", "advised"),
    [
        ("perplexity", "7B", True),
        ("perplexity", "13B", True),
        ("perplexity", "70B", False),
        ("gradient", "13B", True),
        ("gradient", "70B", False),
        ("embedding", "7B", False),
        ("random", "7B", False),
    ],
)
def test_the_advice_of_a_7b_selector(method, trained, advised):
    sizes = [ccds.MODELS[model].parameters for model in (trained, "7B")]
    advice = size_ratio_advice(method, *sizes)
    assert (advice is not None) == advised


def test_the_advice_names_ratio_method_and_source_and_claims_no_law():
    advice = size_ratio_advice("gradient", 5e8, 1e8)
    assert advice is not None and "5 times" in advice and "from 10 times on" in advice
    assert "gradient" in advice and "2410.16208" in advice and "not a law" in advice
    with pytest.raises(ValueError, match="more than 0"):
        size_ratio_advice("gradient", 0, 1e8)


@given(st.floats(1e6, 1e12), st.floats(1e6, 1e12))
def test_advice_for_gradient_holds_wherever_that_for_perplexity_does(trained, selector):
    perplexity = size_ratio_advice("perplexity", trained, selector)
    assert (perplexity is not None) == (trained / selector < 5)
    assert perplexity is None or size_ratio_advice("gradient", trained, selector) is not None


def test_a_file_with_an_unknown_method_is_refused(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("target,train_model,method\nmmlu,7B,DSIR\n")
    with pytest.raises(KeyError, match="DSIR"):
        ccds.read_points(path)


ARMS = [
    *(Point(cost, math.log10(cost), "random") for cost in (1e17, 1e18)),
    *(Point(cost + 2e17, 0.1 + math.log10(cost), "_g $x$") for cost in (1e17, 1e18)),
]


def test_panels_are_a_png_with_the_same_bytes_each_time_that_shows_its_data():
    plain = [Panel("one", ARMS), Panel("two", ARMS[:2])]
    png = cost_panels(plain)
    assert png == cost_panels(plain) and png.startswith(b"\x89PNG")
    assert imread(io.BytesIO(png), format="png").shape[0] > 400
    extras = [
        Panel("one", ARMS, full_data=ARMS[1]),
        Panel("one", ARMS, zero_shot=16.5),
        Panel("one", ARMS, curves={"random": ([1e17, 1e18], [17.1, 17.9])}),
    ]
    drawn = {cost_panels([panel]) for panel in [*extras, plain[0]]}
    assert len(drawn) == 4


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ([], "panels is empty"),
        ([Panel("one", [])], "panel 'one' has no points"),
        ([Panel("one", [Point(0.0, 1.0, "ot")])], "costs nothing"),
    ],
)
def test_nothing_to_draw_is_an_error_that_says_so(panels, message):
    with pytest.raises(ValueError, match=message):
        cost_panels(panels)
