"""The figures of one study and of several, as headings and rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from docs.results.equal_data import equal_data
from docs.results.mean_effect import MeanEffect
from selection.costs.charges import OUTDATED, Charge
from selection.judging.judged import JudgedStudy, frontier_rows
from selection.judging.result import StudyResult, budgets_of
from selection.judging.timing import times_table
from selection.judging.verdicts import UNDECIDED, Label

Table = tuple[list[str], list[list[Any]]]

VERDICTS: tuple[Label, ...] = ("better", "worse", UNDECIDED)

LINES = ("loss", "bits_per_byte", "accuracy", "macro_f1")


def frontier_table(study: JudgedStudy) -> Table:
    """Every arm of one target: costs, loss with interval, difference from random, verdicts."""
    measures = [
        (name, title)
        for name, title in (("accuracy", "accuracy"), ("macro_f1", "macro F1"))
        if any(arm.figures.get(name) is not None for arm in study.result.arms)
    ]
    header = ["method", "budget", "rows", "selection", "loss", "from", "to"]
    header += ["minus random", "from", "to", "verdict", "corrected", "frontier"]
    rows = []
    for found in frontier_rows(study.result.arms, study.judgements):
        share = f"{found['selection_flops'] / found['total_flops']:.1%}"
        row = [found["method"], found["budget"], found["rows"], share]
        row += [found[name] for name in ("loss", "loss_low", "loss_high")]
        row += [found[name] for name in ("difference", "difference_low", "difference_high")]
        row += [found["verdict"], "" if found["difference"] is None else found["corrected"]]
        row += ["yes" if found["on_frontier"] else ""]
        rows.append(row + [found.get(name) for name, _ in measures])
    return header + [title for _, title in measures], rows


def seconds_table(study: JudgedStudy) -> Table:
    """Every arm of one target: FLOPs, seconds, and verdicts at equal FLOPs and equal seconds."""
    result = study.result
    rows = frontier_rows(result.arms, study.judgements)
    return times_table(result.arms, rows, level=result.level, n_resamples=result.n_resamples)


def uncharged_table(charges: Mapping[str, Sequence[Charge]]) -> Table:
    """What no arm of any study bears; what several studies share stands once."""
    rows: dict[tuple[str, str], list[Any]] = {}
    borne = {one.asset for of_study in charges.values() for one in of_study if one.by}
    for of_study in charges.values():
        here = {one.asset for one in of_study if one.by}
        for one in of_study:
            by_others = one.asset in borne - here and one.why != OUTDATED
            if one.why and not by_others:
                rows[one.asset, one.why] = [one.asset, one.why, one.flops, one.seconds]
    return ["asset", "why", "FLOPs", "seconds"], [rows[key] for key in sorted(rows)]


def lines_table(result: StudyResult) -> Table:
    """The reference lines."""
    rows = [[line, *(report.get(k) for k in LINES)] for line, report in result.lines.items()]
    return ["reference line", *LINES], rows


def where_table(result: StudyResult) -> Table:
    """How near each arm's rows are to the target, and the three sources that gave most of them."""
    rows = []
    for arm in result.arms:
        total = sum(arm.sources.values())
        first = sorted(arm.sources.items(), key=lambda item: -item[1])[:3]
        named = ", ".join(f"{source} {n / total:.0%}" for source, n in first)
        near = [arm.distances.get(what) for what in ("pool", "random", "subset")]
        rows.append([arm.method, arm.budget, *near, named])
    return ["method", "budget", "pool", "random", "subset", "sources"], rows


def mean_table(effects: Sequence[MeanEffect]) -> Table:
    """The mean over targets, its verdicts, and how many targets each method was better on."""
    header = ["method", "budget", "targets", "mean minus random", "from", "to", "verdict"]
    header += ["corrected", *VERDICTS, "better / worse uncorrected"]
    rows = []
    for e in effects:
        row = [e.method, e.budget, e.targets, e.difference, _finite(e.low), _finite(e.high)]
        row += [e.judgement.verdict.label, e.label, *(e.corrected[label] for label in VERDICTS)]
        rows.append([*row, f"{e.raw['better']} / {e.raw['worse']}"])
    return header, rows


def cost_table(results: Sequence[StudyResult]) -> Table:
    """Each method's selection against its budgets: shared FLOPs, own FLOPs, share of each budget.

    Of several targets the dearest counts.
    """
    budgets = budgets_of(results)
    methods = dict.fromkeys(name for result in results for name in result.methods)
    rows = []
    for method in methods:
        own = [result for result in results if method in result.costs]
        dearest = max(own, key=lambda result: result.costs[method].total)
        cost = dearest.costs[method]
        shares = [
            f"{cost.total / dearest.budgets[key]:.1%}" if key in dearest.budgets else "—"
            for key in budgets
        ]
        rows.append([method, cost.pool, cost.target, *shares])
    header = ["method", "selection FLOPs, shared by targets", "each target's own"]
    return header + [f"share of {key}" for key in budgets], rows


def overlap_table(methods: Sequence[str], jaccard_MM: np.ndarray) -> Table:
    """Jaccard indices; a gap for methods that never ran together."""
    rows = [
        [name, *(None if math.isnan(share) else share for share in shares)]
        for name, shares in zip(methods, jaccard_MM.tolist(), strict=True)
    ]
    return ["Jaccard index", *methods], rows


def equal_data_table(results: Sequence[StudyResult], one: str, other: str) -> Table:
    """One method against another at equal data, target by target."""
    header = ["target", "kind", "budget", "difference", "from", "to", "at equal data", "how"]
    rows = []
    for result in results:
        for budget, duel in equal_data(result, one, other).items():
            verdict = duel.judgement.verdict
            row = [result.name, "labelled" if result.labelled else "generation", budget]
            row += [verdict.difference, verdict.low, verdict.high]
            rows.append([*row, duel.label or "not judged", duel.how])
    return header, rows


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def interval(low: float, high: float) -> str:
    """The two ends of an interval."""
    if math.isinf(low) or math.isinf(high):
        return "not known"
    return f"{low:.4f} to {high:.4f}"
