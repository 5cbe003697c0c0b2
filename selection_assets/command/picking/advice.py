"""Which method do a pool's past reports speak for?"""

from collections.abc import Iterator
from dataclasses import dataclass

from resources.ledger.ledger import Ledger
from resources.store.artifacts import UNPARTITIONED
from selection_assets.studies import load_studies

DEFAULT = "ot"
"""Where no report says anything: what the paper of this pipeline proposes (arXiv 2405.02774)."""


@dataclass(frozen=True)
class Advice:
    """A method, and why it is named."""

    method: str
    why: str


def advised_method(pool: str | None, ledger: Ledger) -> Advice:
    """Name the method that was furthest ahead of random in the reports of a pool's studies.

    Only a lead whose interval leaves out zero counts, after the study's own correction.
    """
    if pool is None:
        return Advice(DEFAULT, "the pool is new and has no reports")
    leads = sorted(_leads(pool, ledger), reverse=True)
    if not leads:
        return Advice(DEFAULT, f"no report of the pool {pool} has a method ahead of random")
    lead, method, budget, study = leads[0]
    return Advice(method, f"in {study} at {budget} its loss was {lead:.3g} below random's")


def _leads(pool: str, ledger: Ledger) -> Iterator[tuple[float, str, str, str]]:
    for study in load_studies().values():
        frontier = ledger.current(f"{study.name}/pareto_frontier", UNPARTITIONED)
        if study.pool != pool or frontier is None:
            continue
        for arm in frontier.json("frontier.json")["arms"]:
            if arm["corrected"] == "better":
                yield -arm["difference"], arm["method"], arm["budget"], study.name
