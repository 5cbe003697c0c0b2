"""What the papers claim, point by point, and what the studies say to it.

Of several entries of a method the one with its paper's options counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from docs.results import cost_claims, method_claims
from docs.results.evidence import Evidence
from selection.judging.judged import JudgedStudy

GOTD, CCDS, RDS = "arXiv 2405.02774", "arXiv 2410.16208", "arXiv 2503.01807"


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper, and how to hold figures against it.

    Attributes
    ----------
    text, source : what is claimed, and where.
    rule : when it counts as confirmed.
    look : gives the evidence of judged studies.
    """

    text: str
    source: str
    rule: str
    look: Callable[[Sequence[JudgedStudy]], Evidence]


CLAIMS = (
    Claim(
        "Optimal transport (GOT-D) selects better rows than chance at equal data.",
        GOTD,
        "better on most labelled targets, counting all arms, at most budgets",
        partial(method_claims.transport_beats_random, labelled=True),
    ),
    Claim(
        "It does so for generation, too.",
        GOTD,
        "the same on the targets without labels",
        partial(method_claims.transport_beats_random, labelled=False),
    ),
    Claim(
        "GOT-D selects better rows than DSIR at equal data.",
        GOTD,
        "better on most targets at most budgets",
        method_claims.transport_beats_dsir,
    ),
    Claim(
        "Rows that nudge the pre-training distribution to the target warm a pre-trained model up "
        "better than rows that are distributed like the target.",
        GOTD,
        "optimal transport is better than DSIR, BM25 and the mean cosine, each of those that ran, "
        "on most targets at most budgets",
        method_claims.nudging_beats_alignment,
    ),
    Claim(
        "Many powerful selection methods are almost never compute-optimal.",
        CCDS,
        "perplexity and gradients hold at most one in ten of the places on the frontiers",
        cost_claims.costly_is_almost_never_optimal,
    ),
    Claim(
        "Cheaper selection methods dominate.",
        CCDS,
        "they hold more than half of the places on the frontiers, and no less than their share of "
        "the methods",
        cost_claims.cheap_dominates,
    ),
    Claim(
        "Perplexity selection pays from a model 5 times the selector's size on.",
        CCDS,
        "from that ratio on it beats random on most targets at some budget; below it, it does not",
        partial(cost_claims.pays_by_ratio, method="perplexity"),
    ),
    Claim(
        "Gradient selection pays from a model 10 times the selector's size on.",
        CCDS,
        "from that ratio on it beats random on most targets at some budget; below it, it does not",
        partial(cost_claims.pays_by_ratio, method="gradient"),
    ),
    Claim(
        "Embedding similarity, the targets taking turns (RDS+), beats gradients (LESS).",
        RDS,
        "better on most targets at most budgets, at equal total cost, at which gradients train on "
        "less",
        method_claims.round_robin_beats_gradient,
    ),
)


def look_at(studies: Sequence[JudgedStudy]) -> list[tuple[Claim, Evidence]]:
    """Hold the studies against each claim."""
    return [(claim, claim.look(studies)) for claim in CLAIMS]
