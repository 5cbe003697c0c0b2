from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from selection.methods import REGISTRY
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs
from selection.methods.contract.values import Rows
from selection.methods.ot.options import OtOptions
from selection.subset.choose import choose_rows
from selection.transport import score_rows, solve_potentials
from selection.transport.potentials import NotConverged

D = 24


def make_rows(embeddings: np.ndarray, prefix: str) -> Rows:
    n = len(embeddings)
    return Rows(
        np.array([f"{prefix}{i:05d}" for i in range(n)]), [""] * n, np.full(n, 10), embeddings
    )


class Planted:
    """A pool half from the target's three topics, half from topics it does not have."""

    def __init__(self, n: int = 600) -> None:
        rng = np.random.default_rng(8)
        topics = rng.normal(size=(12, D))

        def draw(size: int, first: int, last: int) -> np.ndarray:
            noise = rng.normal(size=(size, D))
            return (topics[rng.integers(first, last, size=size)] + 0.8 * noise).astype(np.float16)

        self.target = make_rows(draw(60, 0, 3), "t")
        shuffled = rng.permutation(n)
        self.in_domain = (np.arange(n) < n // 2)[shuffled]
        embeddings = np.vstack([draw(n // 2, 0, 3), draw(n // 2, 3, 12)])[shuffled]
        self.pool = make_rows(embeddings, "p")

    def batches(self, size: int, *, reverse: bool = False) -> Iterator[Rows]:
        embeddings = self.pool.embeddings
        assert embeddings is not None
        starts = range(0, len(embeddings), size)
        for start in reversed(starts) if reverse else starts:
            some = slice(start, start + size)
            yield Rows(
                self.pool.row_id[some],
                self.pool.text[some],
                self.pool.n_words[some],
                embeddings[some],
            )

    def fit(
        self,
        *,
        batch: int = 1000,
        reverse: bool = False,
        seed: int = 0,
        previous: Fitted | None = None,
        report: list[str] | None = None,
        **options,
    ) -> Fitted:
        return REGISTRY["ot"].fit(
            FitInputs(
                self.target,
                lambda: self.batches(batch, reverse=reverse),
                n_pool=len(self.pool.row_id),
                options=OtOptions(**options),
                seed=seed,
                report=None if report is None else report.append,
                previous=previous,
            )
        )

    def score(self, name: str, fitted: Fitted, seeds=(0,)):
        method = REGISTRY[name]
        given = ScoreInputs(self.pool, self.target, method.options(), seeds=seeds)
        return method.score(fitted, given)

    def share_in_domain(self, score: np.ndarray, near_duplicate_cosine: float = 0.97) -> float:
        subset = choose_rows(
            row_id=self.pool.row_id,
            score=score,
            n_tokens=self.pool.n_words,
            token_budget=2000,
            embeddings=self.pool.embeddings,
            near_duplicate_cosine=near_duplicate_cosine,
        )
        assert len(subset.selected) == 200
        return float(self.in_domain[subset.selected].mean())


PLANTED = Planted()


def test_a_planted_domain_is_found_by_ot_and_not_by_random():
    assert PLANTED.share_in_domain(PLANTED.score("ot", PLANTED.fit()).score[0]) >= 0.9
    draws = PLANTED.score("random", Fitted(), seeds=range(20)).score
    shares = [PLANTED.share_in_domain(draw) for draw in draws]
    assert 0.45 < np.mean(shares) < 0.55


def test_scores_are_those_of_the_library():
    scores = PLANTED.score("ot", PLANTED.fit())
    pool, target = PLANTED.pool.embeddings, PLANTED.target.embeddings
    assert pool is not None and target is not None
    direct = score_rows(pool, target, solve_potentials(pool, target))
    np.testing.assert_allclose(scores.score[0], direct, atol=1e-5)
    cosines = cosine_similarity(pool.astype(float), target.astype(float))
    np.testing.assert_allclose(scores.receipts["nearest_cosine"], cosines.max(axis=1), atol=1e-7)
    assert scores.receipts["nearest_target"][0] == f"t{cosines[0].argmax():05d}"


def test_the_fit_is_the_same_to_the_bit_whatever_the_batches_and_their_order():
    one = PLANTED.fit(solve_rows=200)
    other = PLANTED.fit(batch=37, reverse=True, solve_rows=200)
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, other.arrays[name])
    assert one.facts["pool_residual"] == pytest.approx(other.facts["pool_residual"], abs=1e-12)


def test_facts_say_how_much_was_solved_and_how_well_it_serves_the_pool():
    whole = PLANTED.fit()
    sampled = PLANTED.fit(solve_rows=200, max_pool_residual=1.9, min_overlap=0.0)
    assert (whole.facts["n_solved"], whole.facts["n_pool"]) == (600, 600)
    assert (sampled.facts["n_solved"], sampled.facts["n_pool"]) == (200, 600)
    assert whole.facts["converged"] is True
    assert whole.facts["pool_residual"] == pytest.approx(whole.facts["residual"], abs=1e-5)
    facts: dict[str, Any] = sampled.facts
    assert facts["pool_residual"] > facts["residual"]
    assert json.loads(json.dumps(sampled.facts)) == sampled.facts


def test_a_sample_that_is_not_certified_grows_and_says_so():
    lines: list[str] = []
    pool = PLANTED.pool.embeddings
    assert pool is not None
    fitted = PLANTED.fit(solve_rows=100, max_pool_residual=0.2, min_overlap=0.0, report=lines)
    assert fitted.facts["converged"] is True
    n_solved = fitted.facts["n_solved"]
    assert isinstance(n_solved, int) and 100 < n_solved <= 600
    assert any("the sample grows from 100 to 200 rows" in line for line in lines)
    residual = fitted.facts["pool_residual"]
    assert isinstance(residual, float) and residual <= 0.2


def test_a_warm_start_is_taken_only_from_a_fit_to_the_same_target():
    options = {"tol": 1e-5, "warm_start": True}
    cold = PLANTED.fit(**options)
    warm = PLANTED.fit(**options, previous=cold)
    assert (cold.facts["warm_start"], warm.facts["warm_start"]) == (False, True)
    assert warm.facts["iterations"] == 1
    np.testing.assert_allclose(warm.arrays["g"], cold.arrays["g"], atol=1e-6)
    other = Planted()
    other.target = make_rows(-np.asarray(PLANTED.target.embeddings), "t")
    assert other.fit(**options, previous=cold).facts["warm_start"] is False


def test_density_weights_make_copies_of_a_text_weigh_as_one():
    """Copies of out-of-domain rows move the solve, unless they are weighed by their density."""
    pool = np.asarray(PLANTED.pool.embeddings)
    copied = np.flatnonzero(~PLANTED.in_domain)[:60]
    crowded = Planted()
    crowded.pool = make_rows(np.vstack([pool, *[pool[copied]] * 8]), "p")

    def fit(planted: Planted, neighbours: int | None) -> np.ndarray:
        options = {"density_neighbours": neighbours, "density_cosine": 0.999, "tol": 1e-5}
        inputs = FitInputs(
            planted.target,
            lambda: iter([planted.pool]),
            n_pool=len(planted.pool.row_id),
            options=OtOptions(**options),
            seed=0,
        )
        return REGISTRY["ot"].fit(inputs).arrays["g"]

    plain = np.abs(fit(crowded, None) - fit(PLANTED, None)).max()
    weighed = np.abs(fit(crowded, 20) - fit(PLANTED, 20)).max()
    assert weighed < 0.1 * plain


def test_density_weights_cost_one_search_of_the_sample_and_one_of_the_pool():
    options = {"density_neighbours": 10, "max_pool_residual": 1.9, "min_overlap": 0.0}
    for solve_rows, weighed in ((200, 200 + 600), (1000, 600)):
        fitted = PLANTED.fit(batch=70, solve_rows=solve_rows, **options)
        flops = fitted.facts["density_flops"]
        assert flops == 2 * min(solve_rows, 600) * weighed * D
        planned = REGISTRY["ot"].cost(
            CostInputs(600, 60, 0.0, 0.0, D, OtOptions(solve_rows=solve_rows, **options))
        )
        assert planned.parts["density"] == flops and planned.phases["fit"] >= flops
        plain = PLANTED.fit(batch=70, solve_rows=solve_rows, max_pool_residual=1.9, min_overlap=0.0)
        assert plain.facts["density_flops"] == 0.0
        assert fitted.flops > 0.5 * plain.flops + flops


def test_a_sample_that_grows_is_charged_for_every_index():
    fitted = PLANTED.fit(
        eps_rel=0.05,
        solve_rows=100,
        max_pool_residual=0.2,
        min_overlap=0.0,
        density_neighbours=5,
    )
    assert fitted.facts["n_solved"] == 200
    assert fitted.facts["density_flops"] == sum(2 * n * (n + 600) * D for n in (100, 200))


def test_another_seed_solves_on_another_sample_and_picks_nearly_the_same_rows():
    scores = [PLANTED.score("ot", PLANTED.fit(solve_rows=300, seed=s)).score[0] for s in (0, 1)]
    assert (scores[0] != scores[1]).any()
    tops = [set(np.argsort(-s)[:200].tolist()) for s in scores]
    assert len(tops[0] & tops[1]) >= 180


def test_progress_is_reported_line_by_line():
    lines: list[str] = []
    PLANTED.fit(batch=100, solve_rows=200, max_pool_residual=1.9, min_overlap=0.0, report=lines)
    assert lines[0] == "solve potentials on 200 of 600 rows"
    assert any("cached kernel, float32" in line for line in lines)
    assert "over all 600 rows" in lines[-1]


def test_a_pool_that_yields_fewer_rows_than_it_says_is_refused():
    with pytest.raises(ValueError, match="yielded 600 rows and n_pool says 601"):
        REGISTRY["ot"].fit(
            FitInputs(
                PLANTED.target,
                lambda: PLANTED.batches(100),
                n_pool=601,
                options=OtOptions(),
                seed=0,
            )
        )


def test_a_fit_that_cannot_converge_is_an_error():
    with pytest.raises(NotConverged):
        PLANTED.fit(tol=1e-14, max_iterations=20)


def test_a_target_of_one_row_is_fitted_and_scored():
    planted = Planted(100)
    embeddings = planted.target.embeddings
    assert embeddings is not None
    planted.target = make_rows(embeddings[:1], "t")
    scores = planted.score("ot", planted.fit())
    order = np.argsort(-scores.score[0], kind="stable")
    np.testing.assert_array_equal(
        order, np.argsort(-np.asarray(scores.receipts["nearest_cosine"]), kind="stable")
    )
