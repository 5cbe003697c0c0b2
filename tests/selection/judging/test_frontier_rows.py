"""Verdicts against random at equal total cost, and who lies on the frontier."""

import numpy as np

from selection.judging.judged import frontier_rows, judge_arms
from selection.judging.multiplicity import holm
from selection.judging.result import Arm, arm_figures
from selection.judging.underspent import underspent_notes

RNG = np.random.default_rng(3)
TOKENS = np.full(200, 10.0)
BASE = RNG.normal(50, 5, 200)


def arm(method: str, budget: str, total: float, shift: float, underspent: str = "") -> Arm:
    nll_SE = BASE + shift * 10 + RNG.normal(0, 0.2, (3, 200))
    report = {
        "method": method,
        "budget": budget,
        "selection_flops": 0.0,
        "training_flops": total,
        "total_flops": total,
        "rows": 5,
        "underspent": underspent,
        "after": {"loss": nll_SE.sum() / TOKENS.sum() / 3, "loss_low": 0.0, "loss_high": 9.0},
        "ot_distance": {"subset": 0.5},
    }
    return Arm(arm_figures(report), nll_SE, TOKENS)


def judged_rows(arms: list[Arm]) -> list[dict]:
    return frontier_rows(arms, judge_arms(arms, level=0.95, n_resamples=500))


def test_each_arm_is_judged_against_random_at_its_own_budget():
    rows = judged_rows(
        [
            arm("random", "5pct", 1e9, 0.0),
            arm("ot", "5pct", 1e9, -0.2),
            arm("length", "5pct", 1e9, +0.2),
            arm("embedding", "5pct", 1e9, 0.0),
            arm("ot", "10pct", 2e9, -0.3),
        ]
    )
    verdicts = {(row["method"], row["budget"]): row["verdict"] for row in rows}
    assert verdicts == {
        ("random", "5pct"): "reference",
        ("ot", "5pct"): "better",
        ("length", "5pct"): "worse",
        ("embedding", "5pct"): "not distinguishable",
        ("ot", "10pct"): "no reference",
    }
    assert [row["method"] for row in rows if row["on_frontier"]] == ["ot", "ot"]
    ot = rows[1]
    assert ot["difference_low"] <= ot["difference"] <= ot["difference_high"] < 0


def test_a_verdict_that_does_not_survive_the_number_of_arms_is_taken_back():
    """Effects from none to clear: those at the edge are told apart alone, and not among all."""
    shifts = [*np.linspace(0, -0.007, 20), -0.1]
    graded = [arm(f"method{i}", "5pct", 1e9, shift) for i, shift in enumerate(shifts)]
    rows = judged_rows([arm("random", "5pct", 1e9, 0.0), *graded])
    assert rows[0]["corrected"] == "reference"
    adjusted = holm([row["p_value"] for row in rows[1:]])
    for row, p in zip(rows[1:], adjusted, strict=True):
        assert row["corrected"] == (row["verdict"] if p < 0.05 else "not distinguishable")
    assert any(row["verdict"] != row["corrected"] for row in rows)
    assert rows[-1]["corrected"] == "better"


def test_an_arm_that_could_not_spend_its_budget_has_no_verdict_and_no_place_on_the_frontier():
    why = "spent 82 of 14,272 tokens (0.6%): none of the rows that are left fits (12)"
    arms = [
        arm("random", "5pct", 1e9, 0.0),
        arm("bm25", "5pct", 1e9, -0.5, why),
        arm("ot", "5pct", 1e9, -0.2),
        arm("random", "10pct", 2e9, -0.9, why),
        arm("ot", "10pct", 2e9, -0.3),
    ]
    rows = judged_rows(arms)
    said = [(row["verdict"], row["corrected"]) for row in rows]
    assert said == [
        ("reference", "reference"),
        ("underspent", "underspent"),
        ("better", "better"),
        ("underspent", "underspent"),
        ("random underspent", "random underspent"),
    ]
    assert [row["difference"] is None for row in rows] == [True, True, False, True, True]
    assert [row["on_frontier"] for row in rows] == [False, False, True, False, True]
    # The family that is corrected for is of the arms that are compared.
    assert judge_arms(arms, level=0.95, n_resamples=500).keys() == {("ot", "5pct")}
    assert underspent_notes(rows) == [
        f"bm25 at 5pct is underspent: {why}. It has no verdict.",
        f"random at 10pct is underspent: {why}. No arm at this budget has a verdict.",
    ]
