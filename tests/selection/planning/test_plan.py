"""The plan: selection and training together cost at most the budget, or the arm says why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.config.study import Study
from selection.costs import ModelShape, training_flops
from selection.planning.arms import PoolSize, block_flops, epoch_flops, plan_arms

SHAPE = ModelShape(2, 32, 2, 2, 64, 1000, 64)


def study(**changes) -> Study:
    return Study.model_validate(
        {
            "name": "s",
            "pool": "p",
            "target": {
                "kind": "docstrings",
                "package": "http",
                "splits": {"train": 1, "dev": 1, "test": 2},
            },
            "embedder": {"name": "e", "model": {"kind": "static_minilm"}},
            "base_model": {"kind": "tiny"},
            "methods": {"random": None, "ot": None, "embedding": None},
            "budgets": [0.1, 0.5],
            "seeds": [0, 1],
            "full_data_seeds": [0],
            **changes,
        }
    )


def size(embedding_flops: float = 1e6) -> PoolSize:
    return PoolSize(1000, 50_000, 40, embedding_flops, 1e3, 64)


@given(
    embedding_flops=st.floats(0, 1e12),
    shares=st.lists(st.floats(0.001, 1), min_size=1, max_size=3, unique=True),
)
def test_no_feasible_arm_exceeds_its_budget_and_no_block_is_left_unbought(embedding_flops, shares):
    planned = study(budgets=[{"share": share} for share in {round(s, 4) for s in shares}])
    block = block_flops(planned, SHAPE)
    for arm in plan_arms(planned, SHAPE, size(embedding_flops)):
        if not arm.feasible:
            assert arm.token_budget == 0
            assert arm.reason
            continue
        spent = arm.selection_flops + arm.training_flops
        assert spent <= arm.total_flops * (1 + 1e-9)
        assert arm.token_budget % SHAPE.sequence_length == 0
        everything = arm.training_flops >= epoch_flops(planned, SHAPE, size())
        assert everything or arm.total_flops - spent < block * (1 + 1e-9)


def test_random_pays_nothing_for_selection_and_trains_with_all_of_it():
    arms = {(a.method, a.budget): a for a in plan_arms(study(), SHAPE, size(1e9))}
    assert arms["random", "10pct"].selection_flops == 0
    assert arms["random", "10pct"].token_budget > arms["ot", "10pct"].token_budget
    assert arms["ot", "10pct"].selection_flops > 1e9


def test_selection_dearer_than_the_budget_is_infeasible_and_says_so():
    arms = plan_arms(study(), SHAPE, size(embedding_flops=1e15))
    by_method = {arm.method: arm for arm in arms if arm.budget == "10pct"}
    assert by_method["random"].feasible
    assert not by_method["ot"].feasible
    assert "selection alone costs" in by_method["ot"].reason


def test_what_a_method_refuses_does_not_run_at_any_budget_and_the_others_are_as_they_were():
    others = [arm for arm in plan_arms(study(), SHAPE, size()) if arm.method != "ot"]
    arms = plan_arms(study(), SHAPE, size(), {"ot": "it has nothing to go by"})
    assert [arm for arm in arms if arm.method != "ot"] == others
    refused = [arm for arm in arms if arm.method == "ot"]
    assert refused and all(arm.method_refuses and not arm.feasible for arm in refused)
    assert {(arm.reason, arm.rows) for arm in refused} == {("it has nothing to go by", 0)}


def test_one_epoch_is_the_training_flops_of_every_block():
    blocks = -(-50_000 // 64)
    assert epoch_flops(study(), SHAPE, size()) == pytest.approx(
        training_flops(SHAPE, blocks * 64), rel=1e-12
    )


def test_lora_and_more_epochs_change_what_a_block_costs():
    full = block_flops(study(), SHAPE)
    assert block_flops(study(warm_up={"lora_rank": 4}), SHAPE) == pytest.approx(full * 2 / 3)
    assert block_flops(study(warm_up={"epochs": 3}), SHAPE) == pytest.approx(full * 3)
