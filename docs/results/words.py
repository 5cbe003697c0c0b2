"""What the figures come to, in plain language and whatever they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from docs.results.claims import Claim
from docs.results.evidence import Evidence, counted, named, on_most
from docs.results.mean_effect import MeanEffect
from docs.results.method_claims import TRANSPORT, tallies
from docs.results.tables import VERDICTS, interval
from selection.judging.judged import JudgedStudy
from selection.judging.paying import Paying
from selection.judging.result import RANDOM, StudyResult, budgets_of, methods_of
from selection.judging.verdicts import UNDECIDED, Label


def conclude(
    studies: Sequence[JudgedStudy],
    effects: Sequence[MeanEffect],
    break_evens: Sequence[Paying],
    findings: Sequence[tuple[Claim, Evidence]],
) -> list[str]:
    """Sentences from scope to claims; each says by which figure."""
    results = [study.result for study in studies]
    return [
        scope(results),
        *worth(effects),
        verdicts(studies),
        *(best(effects, results) if len(results) > 1 else best_of_one(studies[0])),
        *costs(results),
        *at_equal_data(studies),
        *sharing(break_evens),
        *on_claims(findings),
    ]


def scope(results: Sequence[StudyResult]) -> str:
    """What was run, and what could not be afforded."""
    arms = [arm for result in results for arm in result.arms]
    seeds = sorted({len(arm.nll_SE) for arm in arms})
    labelled = sum(result.labelled for result in results)
    text = (
        f"{counted(len(results), 'target')} ({labelled} labelled), "
        f"{counted(len(methods_of(results)), 'method')}, "
        f"{counted(len(budgets_of(results)), 'budget')}, {_or(map(str, seeds))} seeds: "
        f"{counted(len(arms), 'arm')} ran"
    )
    lacking = [arm for result in results for arm in result.infeasible]
    dear = Counter(arm["method"] for arm in lacking if not arm["method_refuses"])
    refused = Counter(arm["method"] for arm in lacking if arm["method_refuses"])
    parts = [
        f"{counts.total()} {why}: {', '.join(f'{n} of {method}' for method, n in counts.items())}"
        for counts, why in (
            (dear, "could not be run within their budgets"),
            (refused, "could not be run because their methods refuse the target"),
        )
        if counts
    ]
    return "; ".join([text, *parts]) + "." if parts else f"{text}, and all could be afforded."


def worth(effects: Sequence[MeanEffect]) -> list[str]:
    """Which methods are worth their cost: better than random on most targets, and which worse."""
    if not effects:
        return []
    better, worse = _on_most(effects, "better"), _on_most(effects, "worse")
    what = (
        "than random at the same total cost on most targets, counting all arms (in brackets on how "
        "many, and on how many by intervals one by one)"
    )
    if better:
        said = [f"Worth its cost, better {what}: {better}."]
    else:
        said = [f"No selection is worth its cost: at no budget is a method better {what}."]
    if worse:
        said.append(f"Worse {what}: {worse}.")
    return said


def _on_most(effects: Sequence[MeanEffect], label: Label) -> str:
    """Methods with the budgets at which a corrected verdict is that of most targets."""
    found: dict[str, list[str]] = {}
    for e in effects:
        if on_most(e.corrected, label):
            said = f"{e.budget} ({e.corrected[label]} of {e.targets}; {e.raw[label]})"
            found.setdefault(e.method, []).append(said)
    return "; ".join(f"{method} at {_and(budgets)}" for method, budgets in found.items())


def verdicts(studies: Sequence[JudgedStudy]) -> str:
    """How many arms are better than random, before and after the correction."""
    judged = [judgement for study in studies for judgement in study.judgements.values()]
    if not judged:
        return "No arm can be held against random, which did not run at any of their budgets."
    raw = Counter(judgement.verdict.label for judgement in judged)
    corrected = Counter(judgement.corrected for judgement in judged)
    seen = float(np.median([(j.verdict.high - j.verdict.low) / 2 for j in judged]))
    none = corrected.total() - sum(corrected[label] for label in VERDICTS)
    return (
        f"At equal total cost, selection included, {corrected['better']} of {len(judged)} arms are "
        f"better than random, {corrected['worse']} worse and {corrected[UNDECIDED]} not "
        "distinguishable, corrected for how many there are"
        f"{f'; {none} have no verdict' if none else ''}. Taken one by one {raw['better']} are "
        f"better and {raw['worse']} worse. Not distinguishable does not mean equal: the median "
        f"interval, of an arm by itself, reaches {seen:.3f} nats per token to either side."
    )


def best(effects: Sequence[MeanEffect], results: Sequence[StudyResult]) -> list[str]:
    """At each budget the method with the lowest mean loss, of those that ran on all targets."""
    said = []
    for budget in budgets_of(results):
        own = [e for e in effects if e.budget == budget and e.targets == len(results)]
        if not own:
            continue
        first = min(own, key=lambda e: e.difference)
        if first.difference >= 0:
            said.append(f"At {budget} no method has a lower mean loss than random.")
            continue
        said.append(
            f"At {budget} the lowest mean loss is that of {first.method}, "
            f"{-first.difference:.4f} nats per token below random; its interval for targets like "
            f"these is {interval(first.low, first.high)}, and {_best_is(first, len(effects))}. "
            f"It is better on {first.corrected['better']} of {first.targets} targets and worse on "
            f"{first.corrected['worse']}."
        )
    return said


def _best_is(effect: MeanEffect, n_means: int) -> str:
    among = f"among {counted(n_means, 'mean')}"
    if effect.label == "better":
        return f"it is better than random {among}"
    if effect.label == UNDECIDED:
        return f"{among} it is not distinguishable from random: elsewhere it may be no better"
    return f"there is {effect.label}"


def best_of_one(study: JudgedStudy) -> list[str]:
    """At each budget of the only target the arm with the lowest loss."""
    said = []
    for budget in study.result.budgets:
        own = [a for a in study.result.arms if a.budget == budget and not a.underspent]
        if not own:
            continue
        first = min(own, key=lambda arm: arm.figures["loss"])
        judgement = study.judgements.get((first.method, budget))
        what = f"At {budget} the lowest loss is that of {first.method}"
        if judgement is None:
            said.append(f"{what}.")
        else:
            verdict = judgement.verdict.label
            if verdict == UNDECIDED:
                said.append(f"{what}, not distinguishable from random.")
            elif verdict in VERDICTS:
                said.append(
                    f"{what}: {verdict} than random by itself, and {judgement.corrected} among all "
                    "arms."
                )
            else:
                said.append(f"{what}; {verdict}.")
    return said


def costs(results: Sequence[StudyResult]) -> list[str]:
    """What the dearest and the cheapest selection take of the smallest and largest budget."""
    totals: dict[str, float] = {}
    for result in results:
        for method, cost in result.costs.items():
            totals[method] = max(totals.get(method, 0.0), cost.total / result.pool.epoch_flops)
    free = [method for method, total in totals.items() if total == 0]
    paid = sorted((total, method) for method, total in totals.items() if total > 0)
    said = []
    if paid:
        each = ", ".join(f"{method} {total:.2%}" for total, method in paid)
        said.append(f"In shares of training on the whole pool once, selecting costs: {each}.")
    if free:
        said.append(f"{_and(free)} select for no counted FLOPs.")
    return said


def at_equal_data(studies: Sequence[JudgedStudy]) -> list[str]:
    """Optimal transport against random at equal data on the labelled targets."""
    labelled = [study for study in studies if study.result.labelled]
    said = []
    for name in named(studies, TRANSPORT):
        found = tallies(labelled, name, RANDOM)
        parts = [
            f"at {budget} better on {tally['better']} of {tally.total()}"
            + (f" and worse on {tally['worse']}" if tally["worse"] else "")
            + (f" ({tally[None]} not at equal data)" if tally[None] else "")
            for budget, tally in found.items()
        ]
        won = [budget for budget, tally in found.items() if on_most(tally)]
        where = f"a majority at {_and(won)}" if won else "at no budget a majority"
        if parts:
            said.append(
                f"On equally much training data {name} is against random on the labelled targets, "
                f"counting all arms, {'; '.join(parts)}: {where}."
            )
    return said


def sharing(break_evens: Sequence[Paying]) -> list[str]:
    """Which methods pay at once, from more targets on, or never, by how many of their arms."""
    said = []
    for method in dict.fromkeys(each.method for each in break_evens):
        own = [each.result for each in break_evens if each.method == method]
        known = [result.targets for result in own if result.targets is not None]
        at_once = sum(t <= 1 for t in known)
        later = sorted(t for t in known if 1 < t < math.inf)
        never = sum(math.isinf(t) for t in known)
        parts = [f"at once in {at_once}"] if at_once else []
        if later:
            low, high = math.ceil(later[0]), math.ceil(later[-1])
            span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            parts.append(f"from {span} targets on in {len(later)}")
        parts += [f"never in {never}"] if never else []
        parts += [f"unknown in {len(own) - len(known)}"] if len(own) > len(known) else []
        said.append(f"{method} {', '.join(parts)} of {len(own)}")
    if not said:
        return []
    return [
        "No worse than random, by the mean losses alone, once T targets share the pool's part of "
        f"the selection: {'; '.join(said)}."
    ]


def on_claims(findings: Sequence[tuple[Claim, Evidence]]) -> list[str]:
    """How many of the papers' claims were confirmed."""
    status = [found.status for _, found in findings]
    return [
        f"Of {len(status)} claims of the papers {status.count('confirmed')} are confirmed here, "
        f"{status.count('not confirmed')} are not, and "
        f"{status.count('not testable at this size')} cannot be tested at this size."
    ]


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
