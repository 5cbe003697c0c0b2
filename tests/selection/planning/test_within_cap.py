"""Under a cap the arms that are worth most are kept, and everything that runs is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plan import SHAPE, size, study

from selection.budget.amounts import Amount, Cap
from selection.planning.arms import plan_arms
from selection.planning.within_cap import Bill, fit_cap

STUDY = study()
ARMS = plan_arms(STUDY, SHAPE, size())
ARM_COST = {(arm.method, arm.budget): 10.0 + arm.training_flops / 1e9 for arm in ARMS}


def bill(always: float = 5.0, full_data: float = 100.0, selection: float = 3.0) -> Bill:
    chosen = {"random": 0.0, "ot": selection, "embedding": selection}
    return Bill(
        Amount(always, always),
        {method: Amount(flops, flops) for method, flops in chosen.items()},
        lambda arm: Amount(*[ARM_COST[arm.method, arm.budget]] * 2),
        Amount(full_data, full_data),
    )


def total(within, costs: Bill) -> float:
    """Everything that runs, added up here."""
    kept = [arm for arm in within.arms if arm.feasible]
    spent = costs.always.flops + sum(ARM_COST[arm.method, arm.budget] for arm in kept)
    spent += sum(costs.selection[method].flops for method in {arm.method for arm in kept})
    return spent + (costs.full_data.flops if within.full_data else 0.0)


@given(limit=st.floats(1, 300), selection=st.floats(0, 30), full_data=st.floats(1, 200))
def test_what_is_kept_costs_no_more_than_the_cap_and_the_rest_says_why(limit, selection, full_data):
    costs = bill(selection=selection, full_data=full_data)
    within = fit_cap(STUDY, ARMS, costs, Cap("flops", limit))
    kept = [arm for arm in within.arms if arm.feasible]
    assert not kept or total(within, costs) <= limit * (1 + 1e-12)
    for arm in within.arms:
        assert arm.feasible or (arm.rows == arm.token_budget == 0 and "cap of" in arm.reason)
    assert within.full_data or "cap of" in within.reason
    assert [(a.method, a.budget) for a in within.arms] == [(a.method, a.budget) for a in ARMS]


@given(limit=st.floats(1, 300))
def test_a_higher_cap_never_loses_an_arm_of_the_smallest_budget(limit):
    smallest = STUDY.budgets[0].key

    def kept(cap: float) -> set[str]:
        within = fit_cap(STUDY, ARMS, bill(), Cap("flops", cap))
        return {arm.method for arm in within.arms if arm.feasible and arm.budget == smallest}

    assert kept(limit) <= kept(limit * 1.5)


def test_random_comes_first_since_nothing_can_be_said_without_it():
    smallest = STUDY.budgets[0].key
    limit = 5.0 + ARM_COST["random", smallest] + 1.0
    within = fit_cap(STUDY, ARMS, bill(), Cap("flops", limit))
    assert [(a.method, a.budget) for a in within.arms if a.feasible] == [("random", smallest)]


@pytest.mark.parametrize("unit", ["device_hours", "usd"])
def test_time_and_money_cap_by_the_seconds(unit):
    per_hour = 3600.0
    cap = Cap(unit, 40.0 / per_hour * (2.0 if unit == "usd" else 1.0), 2.0)
    in_time = fit_cap(STUDY, ARMS, bill(), cap)
    in_flops = fit_cap(STUDY, ARMS, bill(), Cap("flops", 40.0))
    assert [a.feasible for a in in_time.arms] == [a.feasible for a in in_flops.arms]


def test_without_a_cap_every_arm_stays_as_planned():
    assert fit_cap(STUDY, ARMS, bill(), None).arms == ARMS
