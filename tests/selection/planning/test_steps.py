"""Every costly step of a study is foreseen, with all of its seeds and nothing twice."""

import pytest

from selection.budget.amounts import Amount
from selection.config.study import Study
from selection.costs import ModelShape
from selection.planning.arms import PoolSize, plan_arms, selection_costs
from selection.planning.rates import Rate
from selection.planning.steps import Workload, WorkPart, amount, own_steps, study_steps

SHAPE = ModelShape(2, 32, 2, 2, 64, 1000, 64)
SIZE = PoolSize(1000, 50_000, 40, 1e6, 1e3, 64)
LOAD = Workload(
    pretraining=7.0,
    warm_up=100.0,
    fine_tuning={0: 1.0, 1: 2.0, 5: 4.0},
    evaluation=10.0,
    rows={"a": 250, "b": 750},
)
STUDY = Study.model_validate(
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
        "full_data_seeds": [5],
    }
)
ARMS = plan_arms(STUDY, SHAPE, SIZE)
PARTS = {name: cost.phases for name, cost in selection_costs(STUDY, SIZE).items()}
STEPS = study_steps(STUDY, LOAD, ARMS, PARTS)


def flops(*step: str | None) -> float:
    return amount(STEPS[step], None).flops


def test_the_steps_are_the_costly_partitions_of_the_study():
    assets = {asset for asset, *_ in STEPS}
    assert assets == {
        *("reference_report", "finetuned_checkpoint", "eval_report"),
        *("ot_potentials", "ot_scores", "embedding_scores"),
    }
    arms = {(method, budget) for asset, method, budget in STEPS if asset == "eval_report"}
    assert arms == {(arm.method, arm.budget) for arm in ARMS}


def test_lines_and_arms_count_every_seed():
    assert flops("reference_report", "zero_shot", None) == 10
    assert flops("reference_report", "fine_tuning_only", None) == (1 + 2) + 2 * 10
    assert flops("reference_report", "full_data", None) == 100 + 4 + 10
    for arm in ARMS:
        trained = flops("finetuned_checkpoint", arm.method, arm.budget)
        assert trained == pytest.approx(2 * arm.training_flops + 3)
        assert flops("eval_report", arm.method, arm.budget) == 20


def test_a_method_s_fit_scores_and_embeddings_add_up_to_its_selection():
    for arm in ARMS:
        if arm.method == "random":
            continue
        scores = [flops(f"{arm.method}_scores", source, None) for source in LOAD.rows]
        assert scores[1] == pytest.approx(3 * scores[0]), "by rows of the source"
        fit = flops("ot_potentials", None, None) if arm.method == "ot" else 0.0
        whole = sum(scores) + fit + PARTS[arm.method]["embedding"]
        assert whole == pytest.approx(arm.selection_flops)


def test_seconds_are_those_of_each_kind_of_work_each_time_it_is_begun():
    work = [WorkPart("training", 100.0, 3), WorkPart("distances", 0.0, 2)]
    rates = {"training": Rate(1.0, 0.01), "distances": Rate(0.5, 0.0)}
    assert amount(work, rates) == Amount(100.0, 3 * 1.0 + 1.0 + 2 * 0.5)
    assert amount(work, None).seconds == 0


def test_work_of_a_kind_that_nobody_measures_is_refused_where_it_is_made():
    with pytest.raises(ValueError, match=r"no kind of work 'painting'; known: arithmetic,"):
        WorkPart("painting", 1.0)


def test_work_whose_rate_was_not_measured_takes_no_made_up_time():
    with pytest.raises(ValueError, match=r"no rate of distances was measured; measured: training"):
        amount([WorkPart("distances", 0.0)], {"training": Rate(1.0, 0.01)})


def test_the_steps_of_a_methods_own_are_among_those_of_the_study():
    for name, named in STUDY.named_methods.items():
        own = own_steps(named, LOAD.rows)
        assert {step for step in STEPS if step[0].startswith(f"{name}_")} == set(own)
        assert bool(own) == named.needs_device
