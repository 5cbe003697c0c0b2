from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from selection.methods import REGISTRY
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.ot.options import OtOptions
from selection.transport import score_rows, solve_potentials

OT = REGISTRY["ot"]
RNG = np.random.default_rng(21)
D = 12
LIKED, DISLIKED = RNG.normal(size=(2, D))


def make_rows(prefix: str, vectors: np.ndarray) -> Rows:
    n = len(vectors)
    ids = np.array([f"{prefix}{i:04d}" for i in range(n)])
    return Rows(ids, [""] * n, np.full(n, 10), vectors.astype(np.float16))


def noise(n: int) -> np.ndarray:
    return RNG.normal(size=(n, D))


# Half of what is like the target is also like the contrast, in the target as in the pool.
POOL = make_rows(
    "p",
    np.vstack([noise(60) + LIKED, noise(60) + LIKED + DISLIKED, noise(80) + DISLIKED, noise(100)]),
)
TARGET = make_rows("t", np.vstack([noise(15) + LIKED, noise(15) + LIKED + DISLIKED]))
CONTRAST = make_rows("c", noise(20) + DISLIKED)


def fit(contrast: Rows | None = CONTRAST, previous: Fitted | None = None, **options: Any) -> Fitted:
    return OT.fit(
        FitInputs(
            TARGET,
            lambda: iter([POOL]),
            300,
            OtOptions(**options),
            0,
            previous=previous,
            contrast=contrast,
        )
    )


def score(fitted: Fitted, rows: Rows = POOL, **options: Any) -> Scores:
    return OT.score(
        fitted, ScoreInputs(rows, target=TARGET, options=OtOptions(**options), seeds=[0])
    )


@pytest.mark.parametrize("weight", [0.3, 1.0, 2.5])
def test_scores_are_those_of_the_library_less_the_weighed_contrasts(weight):
    found = score(fit(contrast_weight=weight), contrast_weight=weight)
    pool, target, contrast = (rows.embeddings for rows in (POOL, TARGET, CONTRAST))
    assert pool is not None and target is not None and contrast is not None
    near, away = (
        score_rows(pool, rows, solve_potentials(pool, rows)) for rows in (target, contrast)
    )
    np.testing.assert_allclose(found.score[0], near - weight * away, atol=1e-5)


def test_scores_are_the_formula_of_pots_potentials():
    options = {"contrast_weight": 0.7, "tol": 1e-6}
    fitted = fit(**options)
    found = score(fitted, **options)
    x = unit(POOL)
    scores = []
    for rows, eps in ((TARGET, "eps"), (CONTRAST, "contrast_eps")):
        cost = ((x[:, None] - unit(rows)[None]) ** 2).sum(axis=2)
        a, b = (np.full(n, 1 / n) for n in cost.shape)
        regularisation: Any = fitted.facts[eps]
        _, log = ot.sinkhorn(
            a, b, cost, regularisation, method="sinkhorn_log", stopThr=1e-10, log=True
        )
        f = regularisation * log["log_u"]
        scores.append(-len(f) / (len(f) - 1) * (f - f.mean()))
    np.testing.assert_allclose(found.score[0], scores[0] - 0.7 * scores[1], atol=1e-4)


def unit(rows: Rows) -> np.ndarray:
    vectors = np.asarray(rows.embeddings, dtype=np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_rows_like_the_contrast_fall_and_rows_like_the_target_alone_stay():
    plain = np.argsort(-score(fit(None)).score[0])[:60]
    away = np.argsort(-score(fit(contrast_weight=1.0), contrast_weight=1.0).score[0])[:60]
    both, alone = np.arange(60, 120), np.arange(60)
    assert np.isin(away, alone).mean() > np.isin(plain, alone).mean() + 0.1
    assert np.isin(away, both).mean() < 0.5 * np.isin(plain, both).mean()


def test_receipts_give_both_potentials_and_the_score_can_be_had_from_them():
    fitted = fit(contrast_weight=1.0)
    found = score(fitted, contrast_weight=1.0)
    facts: dict[str, Any] = fitted.facts
    away = found.receipts["contrast_potential"]
    scores = [
        -facts[f"{p}n_solved"] / (facts[f"{p}n_solved"] - 1) * (f - facts[f"{p}mean_f"])
        for p, f in (("", found.receipts["potential"]), ("contrast_", away))
    ]
    np.testing.assert_allclose(found.score[0], scores[0] - scores[1], atol=1e-7)
    assert "contrast_potential" not in score(fit(None)).receipts


def test_facts_certify_both_solves_and_survive_json():
    facts: dict[str, Any] = fit(contrast_weight=1.0).facts
    assert facts["converged"] is True and facts["contrast_converged"] is True
    assert json.loads(json.dumps(facts)) == facts
    doubtful = fit(
        contrast_weight=1.0, solve_rows=300, tol=1e-2, max_pool_residual=1e-9, min_overlap=0.0
    )
    assert doubtful.facts["converged"] is False


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4), st.randoms(use_true_random=False))
def test_scores_are_the_same_to_the_bit_in_any_batch_and_order(cuts: Sequence[int], random):
    order = list(range(300))
    random.shuffle(order)
    for batch in np.split(np.array(order), sorted(cuts)):
        shard = score(
            FITTED, make_rows("p", np.asarray(POOL.embeddings)[batch]), contrast_weight=1.0
        )
        np.testing.assert_array_equal(shard.score, WHOLE.score[:, batch])
        np.testing.assert_array_equal(
            shard.receipts["contrast_potential"], WHOLE.receipts["contrast_potential"][batch]
        )


FITTED = fit(contrast_weight=1.0)
WHOLE = score(FITTED, contrast_weight=1.0)


def test_a_warm_start_takes_the_contrasts_potentials_too():
    options = {"contrast_weight": 1.0, "tol": 1e-5, "warm_start": True}
    cold = fit(**options)
    warm = fit(previous=cold, **options)
    assert (warm.facts["iterations"], warm.facts["contrast_iterations"]) == (1, 1)
    other = fit(TARGET, previous=cold, **options)
    assert (other.facts["warm_start"], other.facts["contrast_warm_start"]) == (True, False)


def test_a_weight_without_a_contrast_is_refused():
    with pytest.raises(ValueError, match=r"contrast_weight is 1\.0 and there is no contrast"):
        fit(None, contrast_weight=1.0)
    with pytest.raises(ValueError, match="the fit had no contrast; fit again"):
        score(fit(None), contrast_weight=1.0)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_that_steers_nowhere_is_refused(weight):
    with pytest.raises(ValidationError, match="contrast_weight"):
        fit(contrast_weight=weight)


def test_the_cost_counts_the_contrast_as_a_second_target():
    def cost(n_contrast: int, **options: Any):
        inputs = CostInputs(
            10_000,
            100,
            1e6,
            10.0,
            D,
            OtOptions(**options),
            n_contrast=n_contrast,
            contrast_embedding_flops=7.0,
        )
        return OT.cost(inputs)

    plain, away = cost(50), cost(50, contrast_weight=1.0)
    for part in ("solve", "score"):
        assert away.parts[part] == pytest.approx(1.5 * plain.parts[part])
    assert away.phases["embedding"] == plain.phases["embedding"] + 7.0
    assert away.flops == sum(away.phases.values())


def test_scoring_spends_what_the_cost_foresees():
    inputs = CostInputs(300, 30, 0.0, 0.0, D, OtOptions(**{"contrast_weight": 1.0}), n_contrast=20)
    assert WHOLE.flops == pytest.approx(OT.cost(inputs).phases["score"], rel=0.15)
