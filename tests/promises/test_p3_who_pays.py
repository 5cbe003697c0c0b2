"""P3: a step pays its share of what is used together; one that is refused says how to go on."""

import pytest

from resources.ledger.caps import CapConflict
from resources.ledger.ledger import open_ledger
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from selection.budget.amounts import Amount, Cap

STUDIES = ("first", "second")


def test_a_study_pays_its_share_of_what_the_pool_s_studies_use_together(tmp_path):
    budget = open_ledger(tmp_path).spending
    caps = {study: Cap("flops", 10.0) for study in STUDIES}
    step = Spender(
        "pool",
        "pool/embeddings",
        "a",
        "run",
        "cpu",
        payers=dict.fromkeys(STUDIES, 0.5),
        caps=caps,
    )
    spend = budget.reserve(step, Amount(flops=8.0))
    assert [budget.standing(study).left for study in STUDIES] == [6.0, 6.0]
    budget.settle(spend, Cost(6.0, "detailed", "cpu", 1.0, 1.0))
    assert [budget.standing(study).left for study in STUDIES] == [7.0, 7.0]
    own = Spender("first", "first/x", "a", "run", "cpu", caps=caps)
    budget.reserve(own, Amount(flops=5.0))
    with pytest.raises(OverCap, match=r"may cost first 3 FLOPs \(50% of its cost"):
        budget.reserve(step, Amount(flops=6.0))


def test_a_refused_step_says_what_is_left_what_it_needs_and_how_to_go_on(tmp_path):
    ledger = open_ledger(tmp_path)
    step = Spender("small", "small/x", "all", "run", "cpu", caps={"small": Cap("flops", 1e12)})
    ledger.spending.settle(
        ledger.spending.reserve(step, Amount(flops=6e11)), Cost(6e11, "detailed", "cpu", 1, 1)
    )
    with pytest.raises(OverCap) as caught:
        ledger.spending.reserve(step, Amount(flops=5e11))
    assert str(caught.value) == (
        "small/x [all] was not started: it may cost small 5e+11 FLOPs, and 4e+11 FLOPs are left of"
        " its cap of 1e+12 FLOPs (6e+11 FLOPs spent, 0 FLOPs reserved). To go on, raise the cap"
        ' with `selection cap small --flops 1.101e+12 --reason "..."`'
    )
    assert ledger.spending.refusals("small") == {("small/x", "all"): str(caught.value)}
    raised = Cap("flops", 1.101e12)
    ledger.spending.raise_cap("small", raised, actor="me", reason="worth it")
    ledger.spending.reserve(step, Amount(flops=5e11))
    assert ledger.spending.refusals("small") == {}


def hours_at(price: float) -> Spender:
    cap = Cap("usd", 60.0, price)
    return Spender(
        "small", "small/x", "all", "run", "cpu", caps={"small": cap}, usd_per_device_hour=price
    )


def test_an_hour_counts_at_the_price_that_it_had(tmp_path):
    ledger = open_ledger(tmp_path)
    budget, hour = ledger.spending, Amount(seconds=3600.0)
    cost = Cost(0.0, "detailed", "cpu", 3600.0, 3600.0)
    budget.settle(budget.reserve(hours_at(1.0), hour), cost)
    dear = budget.reserve(hours_at(50.0), hour)
    assert budget.standing("small").left == pytest.approx(9.0)
    with pytest.raises(CapConflict, match=r"2\.0 USD a device-hour, and small/x .* at 50\.0"):
        budget.reserve(hours_at(2.0), hour)
    budget.settle(dear, cost)
    with pytest.raises(OverCap, match="may cost small 50 USD, and 9 USD are left"):
        budget.reserve(hours_at(50.0), hour)
    budget.settle(budget.reserve(hours_at(2.0), hour), cost)
    assert budget.standing("small").left == pytest.approx(7.0)
    assert [s["usd"] for s in ledger.query("SELECT sum(usd) AS usd FROM spend")] == [53.0]
    assert ledger.verify() == []
