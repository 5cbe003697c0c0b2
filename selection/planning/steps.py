"""Which steps will a study take, and what work is in each?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from selection.budget.amounts import Amount
from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.costs.arm_plan import ArmPlan
from selection.planning.rates import ARITHMETIC, Rate, known_kind

PlannedStep = tuple[str, str | None, str | None]
"""Asset, and what tells its partitions apart: (method, budget), (line, None) or (source, None)."""


@dataclass(frozen=True)
class WorkPart:
    """One kind of work in a step.

    Attributes
    ----------
    kind : names its rate, such as "training".
    flops : in all.
    times : how often it is begun.

    Raises
    ------
    ValueError
        For a kind that nobody measures.
    """

    kind: str
    flops: float
    times: int = 1

    def __post_init__(self) -> None:
        """Refuse a kind that has no rate."""
        known_kind(self.kind)


@dataclass(frozen=True)
class Workload:
    """FLOPs of the parts that steps are made of.

    Attributes
    ----------
    pretraining : of the base model and the selector; 0 for one that is only fetched.
    warm_up : of the whole pool, one seed.
    fine_tuning : seed to FLOPs.
    evaluation : of one checkpoint.
    rows : source to its rows.
    """

    pretraining: float
    warm_up: float
    fine_tuning: Mapping[int, float]
    evaluation: float
    rows: Mapping[str, int]


def study_steps(
    study: Study, load: Workload, arms: Sequence[ArmPlan], parts: Mapping[str, Mapping[str, float]]
) -> dict[PlannedStep, list[WorkPart]]:
    """Give the work of every costly step that is the study's own.

    "reading" is that of one source's rows or vectors, each file checked against its manifest: a
    fit reads both of every source, scores both of one, a report the vectors of all.

    Parameters
    ----------
    arms : those that are to run.
    parts : method to its phases' FLOPs ("fit", "score") over the whole pool.
    """
    steps: dict[PlannedStep, list[WorkPart]] = _training(study, load, arms) if study.trains else {}
    rows, sources = sum(load.rows.values()), len(load.rows)
    for name in {arm.method for arm in arms}:
        named = study.named_methods[name]
        if not named.needs_device:
            continue
        if named.fit_asset is not None:
            steps[named.fit_asset, None, None] = [
                WorkPart(ARITHMETIC, parts[name]["fit"]),
                WorkPart("reading", 0.0, 2 * sources),
            ]
        for source, n_rows in load.rows.items():
            share = parts[name]["score"] * n_rows / rows
            work = [
                WorkPart(ARITHMETIC, share),
                WorkPart("reading", 0.0, 2),
            ]
            steps[named.scores_asset, source, None] = work
    return steps


def _training(
    study: Study, load: Workload, arms: Sequence[ArmPlan]
) -> dict[PlannedStep, list[WorkPart]]:
    """Train and evaluate the reference lines, and every arm."""
    seeds, full = study.seeds, study.full_data_seeds
    tuning = {seed: load.fine_tuning[seed] for seed in {*seeds, *full}}
    zero_shot = [WorkPart("evaluation", load.evaluation)]
    steps: dict[PlannedStep, list[WorkPart]] = {
        ("reference_report", "zero_shot", None): zero_shot,
        ("reference_report", "fine_tuning_only", None): _trained(tuning, seeds, 0.0, load),
        ("reference_report", "full_data", None): _trained(tuning, full, load.warm_up, load),
    }
    for arm in arms:
        key = (arm.method, arm.budget)
        warm_up = arm.training_flops * len(seeds)
        *training, evaluation = _trained(tuning, seeds, warm_up, load, each=False)
        steps["finetuned_checkpoint", *key] = training
        steps["eval_report", *key] = [
            evaluation,
            WorkPart("distances", 0.0),
            WorkPart("reading", 0.0, len(load.rows)),
        ]
    return steps


def own_steps(named: NamedMethod, sources: Iterable[str]) -> list[PlannedStep]:
    """A method's costly steps: its fit where that is stored, and its scores of each source."""
    if not named.needs_device:
        return []
    fit: list[PlannedStep] = [] if named.fit_asset is None else [(named.fit_asset, None, None)]
    return fit + [(named.scores_asset, source, None) for source in sources]


def amount(work: Sequence[WorkPart], rates: Mapping[str, Rate] | None) -> Amount:
    """Sum up a step; without rates its seconds stay 0.

    Raises
    ------
    ValueError
        Where there are rates, but none of a kind of this work.
    """
    flops = sum(part.flops for part in work)
    if rates is None:
        return Amount(flops)
    unmeasured = sorted({part.kind for part in work} - rates.keys())
    if unmeasured:
        measured = ", ".join(sorted(rates)) or "none"
        raise ValueError(f"no rate of {', '.join(unmeasured)} was measured; measured: {measured}")
    return Amount(flops, sum(rates[w.kind].seconds(w.flops, times=w.times) for w in work))


def _trained(
    tuning: Mapping[int, float],
    seeds: Sequence[int],
    warm_up: float,
    load: Workload,
    *,
    each: bool = True,
) -> list[WorkPart]:
    """Train and evaluate a model a seed; `warm_up` is of each seed, or of all together."""
    n = len(seeds)
    return [
        WorkPart("training", warm_up * (n if each else 1), n),
        WorkPart("fine_tuning", sum(tuning[seed] for seed in seeds), n),
        WorkPart("evaluation", load.evaluation * n, n),
    ]
