"""Claims that one method selects better rows than another, at equal data or at equal cost."""

from __future__ import annotations

from collections.abc import Sequence

from docs.results.equal_data import Majority, count, equal_data
from docs.results.evidence import Evidence, enough, lacking, named, results_of
from selection.judging.judged import JudgedStudy
from selection.judging.result import RANDOM, budgets_of

TRANSPORT, TURNS = "ot", "round_robin"


def transport_beats_random(studies: Sequence[JudgedStudy], *, labelled: bool) -> Evidence:
    """Optimal transport against random on the labelled targets, or on those of generation."""
    return _transport_beats([RANDOM], [s for s in studies if s.result.labelled == labelled])


def transport_beats_dsir(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against importance resampling."""
    return _transport_beats(named(results_of(studies), "dsir"), studies)


def nudging_beats_alignment(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against every method that seeks rows like the target's."""
    results = results_of(studies)
    turns = named(results, "embedding", variant=TURNS)
    aligned = [n for n in named(results, "dsir", "bm25", "embedding") if n not in turns]
    return _transport_beats(aligned, studies)


def round_robin_beats_gradient(studies: Sequence[JudgedStudy]) -> Evidence:
    """Nearest rows in turns against gradients, at equal total cost.

    Gradients cost so much that the two never train on equal data.
    """
    results = results_of(studies)
    turns = named(results, "embedding", variant=TURNS)
    return _beats_all(studies, turns, named(results, "gradient"), equal_cost=True)


def _transport_beats(others: Sequence[str], studies: Sequence[JudgedStudy]) -> Evidence:
    return _beats_all(studies, named(results_of(studies), TRANSPORT), others)


def majorities(
    studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool = False
) -> dict[str, Majority]:
    """Budget to how often one method beat the other, where both ran; at equal data by default."""
    results = results_of(studies)
    counted = {}
    for budget in budgets_of(results):
        duels = [equal_data(result, one, other, budget) for result in results]
        ran = [duel for duel in duels if duel is not None]
        if ran:
            counted[budget] = count(ran, equal_cost=equal_cost)
    return counted


def _beats(studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool) -> Evidence:
    """One method is better than another on most targets at most budgets."""
    counted = majorities(studies, one, other, equal_cost=equal_cost)
    if not any(majority.judged for majority in counted.values()):
        return lacking(f"{one} and {other} never trained on equal data")
    won = sum(majority.won for majority in counted.values())
    lines = ", ".join(
        f"{m.better} better, {m.worse} worse, {m.undecided} not distinguishable"
        + (f", {m.not_judged} not at equal data" if m.not_judged else "")
        + f" at {budget}"
        for budget, m in counted.items()
    )
    targets = max(majority.judged for majority in counted.values())
    return enough(targets, 2 * won > len(counted), f"{one} against {other}: {lines}.")


def _beats_all(
    studies: Sequence[JudgedStudy],
    ones: Sequence[str],
    others: Sequence[str],
    *,
    equal_cost: bool = False,
) -> Evidence:
    """Each of some methods is better than each of some others; the first that is not decides."""
    if not ones or not others:
        return lacking("no study has arms of both")
    found = [_beats(studies, one, other, equal_cost=equal_cost) for one in ones for other in others]
    text = " ".join(evidence.figures for evidence in found)
    holds = {evidence.holds for evidence in found}
    return Evidence(next((each for each in (False, None) if each in holds), True), text)
