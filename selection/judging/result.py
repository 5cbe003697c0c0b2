"""What a finished study found, as plain data: one target, all arms, and what selecting cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RANDOM = "random"
"""The method that every other is held against."""


def arm_figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a study's frontier takes of an arm's `report.json`: costs, rows, loss with interval."""
    after = report["after"]
    names = ("method", "budget", "selection_flops", "training_flops", "total_flops", "rows")
    names += ("underspent",)
    return {name: report[name] for name in names} | {
        "loss": after["loss"],
        "loss_low": after["loss_low"],
        "loss_high": after["loss_high"],
        "accuracy": after.get("accuracy"),
        "macro_f1": after.get("macro_f1"),
        "ot_distance": report["ot_distance"]["subset"],
    }


@dataclass(frozen=True)
class ArmSeconds:
    """Seconds for which an arm held a device or a processor: a measurement, with its noise.

    Attributes
    ----------
    selection : of its selection alone, shared work by the same shares as its FLOPs.
    training : of one seed's warm-up.
    """

    selection: float
    training: float

    @property
    def total(self) -> float:
        """Of both."""
        return self.selection + self.training


@dataclass(frozen=True)
class Arm:
    """One method at one budget, all seeds.

    Attributes
    ----------
    figures : as `arm_figures` gives them; where the frontier is there, its row of `frontier.json`.
    nll_SE : float64 of shape (seeds, examples), summed nats of each held-out example.
    tokens_E : float64 of shape (examples,).
    selected : draw to the ids of the rows it selected.
    sources : source to how many of those rows are of it, all draws together.
    distances : `pool`, `random` and `subset` to their exact OT distance to the target.
    seconds : what it took; None where nobody measured it. No part of `figures`, which repeat.
    """

    figures: Mapping[str, Any]
    nll_SE: np.ndarray
    tokens_E: np.ndarray
    selected: Mapping[int, frozenset[str]] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    distances: Mapping[str, float] = field(default_factory=dict)
    seconds: ArmSeconds | None = None

    @property
    def method(self) -> str:
        """Name of the method, as the study gives it."""
        return self.figures["method"]

    @property
    def budget(self) -> str:
        """Key of the budget, such as `5pct`."""
        return self.figures["budget"]

    @property
    def underspent(self) -> bool:
        """Whether it could not spend what it was given: it is not compared with others."""
        return bool(self.figures["underspent"])

    @property
    def training_flops(self) -> float:
        """FLOPs of one seed's warm-up."""
        return float(self.figures["training_flops"])

    @property
    def loss_S(self) -> np.ndarray:
        """Loss of each seed in nats per token, of shape (seeds,)."""
        return self.nll_SE.sum(axis=1) / self.tokens_E.sum()


@dataclass(frozen=True)
class SelectionCost:
    """What a method's selection costs, by part.

    Attributes
    ----------
    parts : FLOPs of each part of the work.
    shared : names of the parts that are done once for all targets of the pool.
    """

    parts: Mapping[str, float]
    shared: frozenset[str]

    @property
    def pool(self) -> float:
        """FLOPs that all targets of the pool share."""
        return sum((f for part, f in self.parts.items() if part in self.shared), 0.0)

    @property
    def target(self) -> float:
        """FLOPs that each target has of its own."""
        return sum((f for part, f in self.parts.items() if part not in self.shared), 0.0)

    @property
    def total(self) -> float:
        """FLOPs of selecting for one target alone."""
        return self.pool + self.target


@dataclass(frozen=True)
class PoolFacts:
    """What was selected from, and for which model.

    Attributes
    ----------
    name : of the pool.
    rows, tokens : of the pool, by the trained model's tokenizer.
    epoch_flops, block_flops : of training on all of it, and on one packed block.
    model_parameters : of the trained model.
    selector_parameters : of the model that perplexities and gradients are of; None without one.
    """

    name: str
    rows: int
    tokens: int
    epoch_flops: float
    block_flops: float
    model_parameters: float
    selector_parameters: float | None = None


@dataclass(frozen=True)
class StudyResult:
    """One target's study.

    Attributes
    ----------
    name : of the study.
    labelled : whether the target has labels; if not it is a target of generation.
    arms : those that ran.
    budgets : key of each budget to its total FLOPs, smallest first.
    lines : `zero_shot`, `fine_tuning_only` and `full_data` to their reports, those that ran.
    infeasible : method, budget and reason of each arm that did not run, and whether it is its
        method that refuses (`method_refuses`); the others could not be afforded.
    costs : method to what its selection costs, if nobody shares it.
    kinds : each method's name in the study to what it is: a method of the registry and, after
        spaces, its variant and the options that are not the defaults, such as `perplexity mid` or
        `dsir smoothing=paper`.
    pool : PoolFacts.
    level, n_resamples : of every interval.

    Raises
    ------
    ValueError
        If an arm is there twice, has a budget that is not listed, or has losses of other examples
        than the rest.
    """

    name: str
    labelled: bool
    arms: Sequence[Arm]
    budgets: Mapping[str, float]
    lines: Mapping[str, Mapping[str, Any]]
    infeasible: Sequence[Mapping[str, Any]]
    costs: Mapping[str, SelectionCost]
    kinds: Mapping[str, str]
    pool: PoolFacts
    level: float = 0.95
    n_resamples: int = 2000

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        seen: set[tuple[str, str]] = set()
        for arm in self.arms:
            what = f"study {self.name}, {arm.method} at {arm.budget}"
            if (arm.method, arm.budget) in seen:
                raise ValueError(f"{what} is there twice: give each arm once.")
            seen.add((arm.method, arm.budget))
            if arm.budget not in self.budgets:
                raise ValueError(f"{what}: the budgets are {', '.join(self.budgets)}.")
            if arm.method not in self.costs or arm.method not in self.kinds:
                raise ValueError(f"{what}: nothing says what it is, or what its selection costs.")
            if not np.array_equal(arm.tokens_E, self.arms[0].tokens_E):
                raise ValueError(
                    f"{what} was evaluated on other examples than {self.arms[0].method} at "
                    f"{self.arms[0].budget}: evaluate both again."
                )

    def arm(self, method: str, budget: str) -> Arm | None:
        """Find an arm; None if it did not run."""
        found = (a for a in self.arms if (a.method, a.budget) == (method, budget))
        return next(found, None)

    @property
    def methods(self) -> list[str]:
        """All methods, those included of which no arm could run; random first."""
        names = dict.fromkeys(
            [*(arm.method for arm in self.arms), *(arm["method"] for arm in self.infeasible)]
        )
        return sorted(names, key=lambda name: name != RANDOM)


def methods_of(studies: Sequence[StudyResult]) -> list[str]:
    """All methods of several studies, random first, then by first appearance."""
    names = dict.fromkeys(name for study in studies for name in study.methods)
    return sorted(names, key=lambda name: name != RANDOM)


def budgets_of(studies: Sequence[StudyResult]) -> list[str]:
    """All budgets of several studies, smallest share of an epoch first."""
    share: dict[str, float] = {}
    for study in studies:
        for key, flops in study.budgets.items():
            share.setdefault(key, flops / study.pool.epoch_flops)
    return sorted(share, key=share.__getitem__)
