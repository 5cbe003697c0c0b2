"""Claims that one method selects better rows than another, at equal data or at equal cost."""

from __future__ import annotations

from collections.abc import Sequence

from selection.conclusions.equal_data import Majority, count, equal_data
from selection.conclusions.evidence import Evidence, enough, lacking, round_robin, variants
from selection.conclusions.judged import JudgedStudy
from selection.conclusions.result import RANDOM, budgets_of

TRANSPORT = "ot"


def transport_beats_random(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against random on the labelled targets."""
    labelled = [study for study in studies if study.result.labelled]
    return _beats(labelled, TRANSPORT, RANDOM)


def transport_beats_random_in_generation(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against random on the targets of generation."""
    return _beats([study for study in studies if not study.result.labelled], TRANSPORT, RANDOM)


def transport_beats_dsir(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against importance resampling."""
    return _beats_all(studies, [TRANSPORT], variants(studies, "dsir"), "DSIR")


def nudging_beats_alignment(studies: Sequence[JudgedStudy]) -> Evidence:
    """Optimal transport against every method that seeks rows like the target's."""
    aligned = [
        name
        for name in variants(studies, "dsir", "bm25", "embedding")
        if name not in round_robin(studies)
    ]
    return _beats_all(studies, [TRANSPORT], aligned, "DSIR, BM25 or mean cosine")


def round_robin_beats_gradient(studies: Sequence[JudgedStudy]) -> Evidence:
    """Nearest rows in turns against gradients, at equal total cost.

    Gradients cost so much that the two never train on equal data.
    """
    gradients = variants(studies, "gradient")
    return _beats_all(
        studies, round_robin(studies), gradients, "turns or gradients", equal_cost=True
    )


def majorities(
    studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool = False
) -> dict[str, Majority]:
    """Budget to how often one method beat the other, where both ran; at equal data by default."""
    results = [study.result for study in studies]
    counted = {}
    for budget in budgets_of(results):
        duels = [equal_data(result, one, other, budget) for result in results]
        ran = [duel for duel in duels if duel is not None]
        if ran:
            counted[budget] = count(ran, equal_cost=equal_cost)
    return counted


def _beats(
    studies: Sequence[JudgedStudy], one: str, other: str, *, equal_cost: bool = False
) -> Evidence:
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
    what: str,
    *,
    equal_cost: bool = False,
) -> Evidence:
    """Each of some methods is better than each of some others; the first that is not decides."""
    if not ones or not others:
        return lacking(f"no arm of {what}")
    found = [_beats(studies, one, other, equal_cost=equal_cost) for one in ones for other in others]
    text = " ".join(evidence.figures for evidence in found)
    if any(evidence.holds is False for evidence in found):
        return Evidence(False, text)
    if any(evidence.holds is None for evidence in found):
        return Evidence(None, text)
    return Evidence(True, text)
