"""What the simulation of the verdicts judges is what the pipeline judges."""

import numpy as np
import pytest
from benchmark_names import names_of

from selection.judging.judged import judge_arms
from selection.judging.result import Arm


@pytest.fixture(scope="module")
def benchmark() -> dict:
    return names_of("verdicts")


@pytest.mark.parametrize("said", ["4 times in random", "alike in all arms"])
def test_the_simulated_judgement_is_the_studies_own(benchmark, said):
    truth = benchmark["truths"]()[said]
    one, again = (np.random.default_rng(5) for _ in range(2))
    # The same draws: once as losses of arms, once as what `simulate` makes of them.
    [loss_ABSE] = benchmark["losses"](truth, 3, 1, 0.05, one)
    found = benchmark["simulate"](truth, 3, 1, 0.05, again)
    [p_N] = benchmark["p_values"](found, benchmark["by_the_larger"](found, 3))
    names = ["random", *(f"method{i}" for i in range(1, len(loss_ABSE)))]
    arms = [
        Arm(
            {"method": name, "budget": str(b), "underspent": ""},
            loss_SE,
            np.ones(loss_SE.shape[1]),
        )
        for name, loss_BSE in zip(names, loss_ABSE, strict=True)
        for b, loss_SE in enumerate(loss_BSE)
    ]
    judged = judge_arms(arms, level=0.95, n_resamples=4000)
    corrected = benchmark["by_holm"](p_N[None])[0]
    in_order = [judged[arm.method, arm.budget] for arm in arms if arm.method != "random"]
    own = [judgement.verdict.p_value for judgement in in_order]
    np.testing.assert_allclose(own, p_N, rtol=0.15, atol=1e-6)
    agree = [
        (judgement.corrected != "not distinguishable") == (p < 0.05)
        for judgement, p in zip(in_order, corrected, strict=True)
        if abs(p - 0.05) > 0.02
    ]
    assert all(agree) and len(agree) > 30
