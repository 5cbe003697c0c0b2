"""Claims that one method selects better rows than another, at equal data or at equal cost."""

from __future__ import annotations

from collections.abc import Sequence

from docs.results.equal_data import equal_data
from docs.results.evidence import (
    Evidence,
    Tally,
    as_published,
    enough,
    lacking,
    named,
    on_most,
)
from selection.judging.judged import JudgedStudy
from selection.judging.result import RANDOM, budgets_of
from selection.judging.verdicts import UNDECIDED

TRANSPORT, TURNS = "ot", "embedding round_robin"


def transport_beats_random(studies: Sequence[JudgedStudy], *, labelled: bool) -> Evidence:
    """Optimal transport against random on the labelled targets, or on those of generation."""
    of_kind = [study for study in studies if study.result.labelled == labelled]
    return _beats_all(of_kind, as_published(of_kind, TRANSPORT), [RANDOM])


def transport_beats_dsir(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against importance resampling."""
    return _beats_all(studies, as_published(studies, TRANSPORT), as_published(studies, "dsir"))


def nudging_beats_alignment(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against every method that seeks rows like the target's."""
    turns = named(studies, TURNS)
    aligned = [n for n in as_published(studies, "dsir", "bm25", "embedding") if n not in turns]
    return _beats_all(studies, as_published(studies, TRANSPORT), aligned)


def round_robin_beats_gradient(studies: Sequence[JudgedStudy]) -> Evidence:
    """Nearest rows in turns against gradients, at equal total cost.

    Gradients cost so much that the two never train on equal data.
    """
    return _beats_all(studies, named(studies, TURNS), named(studies, "gradient"), equal_cost=True)


def tallies(
    studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool = False
) -> dict[str, Tally]:
    """Budget to how often one method beat the other, where both ran; at equal data by default."""
    results = [study.result for study in studies]
    duels = [equal_data(result, one, other) for result in results]
    counted = {}
    for budget in budgets_of(results):
        ran = [duel[budget] for duel in duels if budget in duel]
        if ran:
            counted[budget] = Tally(d.judgement.corrected if equal_cost else d.label for d in ran)
    return counted


def _beats(studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool) -> Evidence:
    """One method is better than another on most targets at most budgets."""
    counted = tallies(studies, one, other, equal_cost=equal_cost)
    targets = max((tally.total() - tally[None] for tally in counted.values()), default=0)
    if not targets:
        return lacking(f"{one} and {other} never trained on equal data")
    won = sum(map(on_most, counted.values()))
    lines = ", ".join(
        f"{tally['better']} better, {tally['worse']} worse, {tally[UNDECIDED]} not distinguishable"
        + (f", {tally[None]} not at equal data" if tally[None] else "")
        + f" at {budget}"
        for budget, tally in counted.items()
    )
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
