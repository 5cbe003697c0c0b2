"""Claims about what costly selection is worth: those of CCDS, arXiv 2410.16208."""

from __future__ import annotations

from collections.abc import Sequence

from docs.results.evidence import Evidence, counted, enough, lacking, named
from selection.costs.ccds import SIZE_RATIOS
from selection.judging.judged import JudgedStudy
from selection.judging.result import methods_of

COSTLY = tuple(SIZE_RATIOS)
"""The methods that read the pool with a language model: perplexity and gradient."""

ALMOST_NEVER = 0.1
LEAST_PLACES = 10
"""Of fewer places on frontiers, one in ten is none."""


def costly_is_almost_never_optimal(studies: Sequence[JudgedStudy]) -> Evidence:
    """How many of the frontiers' places costly methods hold; what was too dear holds none."""
    costly = named(studies, *COSTLY)
    if not costly:
        return lacking("no arm of perplexity or gradients")
    places = _places(studies)
    held = sum(name in costly for name in places)
    figures = (
        f"{', '.join(costly)} hold {held} of the {len(places)} places on the frontiers of "
        f"{counted(len(studies), 'target')}{_too_dear(studies, costly)}."
    )
    if len(places) < LEAST_PLACES:
        return Evidence(None, f"{figures} It takes {LEAST_PLACES} places.")
    return enough(len(studies), held <= ALMOST_NEVER * len(places), figures)


def cheap_dominates(studies: Sequence[JudgedStudy]) -> Evidence:
    """How many places the cheap methods hold, and what share of the methods they are."""
    names = methods_of([study.result for study in studies])
    costly = named(studies, *COSTLY)
    cheap = [name for name in names if name not in costly]
    if len(cheap) == len(names):
        return lacking("no arm of perplexity or gradients to compare with")
    places = _places(studies)
    held = sum(name in cheap for name in places)
    share = len(cheap) / len(names)
    figures = (
        f"Methods that read the pool with no language model hold {held} of the {len(places)} "
        f"places on the frontiers; they are {len(cheap)} of the {len(names)} methods."
    )
    holds = 2 * held > len(places) and held >= share * len(places)
    return enough(len(studies), holds, figures)


def pays_by_ratio(studies: Sequence[JudgedStudy], *, method: str) -> Evidence:
    """Whether perplexity or gradients beat random as their size ratio foretells."""
    names = named(studies, method)
    if not names:
        return lacking(f"no arm of {method}")
    ratios = []
    for study in studies:
        selector = study.result.pool.selector_parameters
        if selector is None:
            return lacking(f"the size of {method}'s selector in {study.result.name} is not known")
        ratios.append(study.result.pool.model_parameters / selector)
    advised = SIZE_RATIOS[method]
    foretold = [ratio >= advised for ratio in ratios]
    paid = [_pays(study, names) for study in studies]
    as_foretold = sum(a == b for a, b in zip(foretold, paid, strict=True))
    sides = "above" if all(foretold) else "below" if not any(foretold) else "on both sides of"
    figures = (
        f"The trained model is {_span(ratios)} times the selector's size, {sides} "
        f"the {advised:g} advised; {method} beat random on {sum(paid)} of "
        f"{counted(len(studies), 'target')}{_too_dear(studies, names)}."
    )
    if len(set(foretold)) == 1:
        figures += " Only this side of the ratio was seen."
    return enough(len(studies), 2 * as_foretold > len(studies), figures)


def _pays(study: JudgedStudy, names: Sequence[str]) -> bool:
    """Whether any arm of these methods is better than random, however many were tried."""
    return any(
        judgement.corrected == "better"
        for (method, _), judgement in study.judgements.items()
        if method in names
    )


def _places(studies: Sequence[JudgedStudy]) -> list[str]:
    """Method of every arm on a frontier."""
    return [
        arm.method for study in studies for arm in study.result.arms if arm.figures["on_frontier"]
    ]


def _too_dear(studies: Sequence[JudgedStudy], names: Sequence[str]) -> str:
    lacking = [arm for study in studies for arm in study.result.infeasible]
    n = sum(arm["method"] in names for arm in lacking if not arm["method_refuses"])
    return f" ({n} of their arms could not be afforded)" if n else ""


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"
