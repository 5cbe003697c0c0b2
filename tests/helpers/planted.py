"""Studies with planted effects: what the conclusions must find is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from selection.judging.judged import frontier_rows, judge_arms
from selection.judging.result import Arm, PoolFacts, SelectionCost, StudyResult, arm_figures

EPOCH, BLOCK = 1e12, 1e8
SHARES = {"2.5pct": 0.025, "5pct": 0.05, "10pct": 0.1, "25pct": 0.25}
COSTS = {
    "random": SelectionCost({}, frozenset()),
    "dsir": SelectionCost({}, frozenset()),
    "embedding": SelectionCost(
        {"pool_embedding": 1e8, "score": 1e7}, frozenset({"pool_embedding"})
    ),
    "embedding_round_robin": SelectionCost(
        {"pool_embedding": 1e8, "score": 1e7}, frozenset({"pool_embedding"})
    ),
    "ot": SelectionCost({"pool_embedding": 1e8, "solve": 2e8}, frozenset({"pool_embedding"})),
    "perplexity": SelectionCost({"tune": 1e9, "read": 2e10}, frozenset()),
    "gradient": SelectionCost({"features": 6e10, "score": 1e8}, frozenset({"features"})),
}


def planted(
    name: str,
    effects: Mapping[str, float],
    *,
    rng: np.random.Generator,
    budgets: Sequence[str] = tuple(SHARES),
    labelled: bool = True,
    n_seeds: int = 3,
    n_examples: int = 120,
    seed_noise: float = 0.004,
    identical: Sequence[str] = (),
    selector: float | None = 1e6,
    parameters: float = 8e6,
) -> StudyResult:
    """A study in which each method's loss is random's plus its effect.

    Parameters
    ----------
    effects : method to loss difference; random is there when it is among them.
    identical : methods whose every loss is random's.
    """
    difficulty_E = rng.normal(5.0, 0.8, n_examples)
    tokens_E = rng.integers(20, 120, n_examples).astype(float)
    row_ids = np.array([f"{i:04d}" for i in range(400)])
    arms, infeasible = [], []
    for key in budgets:
        total = SHARES[key] * EPOCH
        learnt = 1.2 * (1 - np.exp(-4 * SHARES[key]))
        random_SE: np.ndarray | None = None
        for method, effect in effects.items():
            left = total - COSTS[method].total
            if left < BLOCK:
                lacking = {"method": method, "budget": key, "reason": "too dear"}
                infeasible.append(lacking | {"method_refuses": False})
                continue
            noise_SE = rng.normal(0, seed_noise, (n_seeds, 1)) + rng.normal(
                0, 0.02, (n_seeds, n_examples)
            )
            nll_SE = (difficulty_E - learnt + effect + noise_SE) * tokens_E
            if method == "random":
                random_SE = nll_SE
            if method in identical and random_SE is not None:
                nll_SE = random_SE
            loss_S = nll_SE.sum(axis=1) / tokens_E.sum()
            report = {
                "method": method,
                "budget": key,
                "rows": 40,
                "underspent": "",
                "selection_flops": COSTS[method].total,
                "training_flops": left // BLOCK * BLOCK,
                "total_flops": total,
                "after": {
                    "loss": float(loss_S.mean()),
                    "loss_low": float(loss_S.min()),
                    "loss_high": float(loss_S.max()),
                },
                "ot_distance": {"subset": 0.5},
            }
            selected = {0: frozenset(rng.choice(row_ids, 40, replace=False).tolist())}
            arms.append(Arm(arm_figures(report), nll_SE, tokens_E, selected))
    rows = frontier_rows(arms, judge_arms(arms, level=0.95, n_resamples=200))
    untrained = float((difficulty_E * tokens_E).sum() / tokens_E.sum())
    return StudyResult(
        name=name,
        labelled=labelled,
        arms=[replace(arm, figures=row) for arm, row in zip(arms, rows, strict=True)],
        budgets={key: SHARES[key] * EPOCH for key in budgets},
        lines={
            "zero_shot": {"loss": untrained + 1.0, "loss_by_seed": [untrained + 1.0]},
            "fine_tuning_only": {"loss": untrained, "loss_by_seed": [untrained] * n_seeds},
            "full_data": {
                "loss": untrained - 1.18,
                "loss_by_seed": [untrained - 1.18],
                "warm_up_flops": EPOCH,
            },
        },
        infeasible=infeasible,
        costs={method: COSTS[method] for method in effects},
        kinds={method: method.replace("_", " ", 1) for method in effects},
        pool=PoolFacts("domains", 24_000, 5_000_000, EPOCH, BLOCK, parameters, selector),
        n_resamples=200,
    )


def five(effects: Mapping[str, float], *, seed: int, **options) -> list[StudyResult]:
    """Four labelled targets and one of generation, with the same effects."""
    rng = np.random.default_rng(seed)
    names = ("news", "reviews", "biomedical", "law", "docstrings")
    return [
        planted(name, effects, rng=rng, labelled=name != "docstrings", **options) for name in names
    ]
