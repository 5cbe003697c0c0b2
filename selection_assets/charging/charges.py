"""What of all that a study and its pool have spent do its arms bear, and what none of them?"""

from collections.abc import Iterable, Mapping
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import spent_by_step
from selection.config.study import Study
from selection.costs.charges import Borne, Charge, Spent, divide, shares_of
from selection_assets.charging.parts import selection_parts, tuned_embedder
from selection_assets.charging.reasons import (
    DISTILLING,
    OTHER_SEEDS,
    OTHER_TARGETS,
    why_uncharged,
)
from selection_assets.charging.seconds import CHECKPOINT, SUBSET, TimedStudy
from selection_assets.stage.keys import arm_key


def charges_of(
    study: Study, ledger: Ledger, arms: Iterable[Mapping[str, Any]], timed: TimedStudy
) -> list[Charge]:
    """Divide what the ledger says of a study and of its pool; it adds up to the ledger's totals.

    Parameters
    ----------
    arms : figures of those that ran: their methods, budgets and training FLOPs.
    """
    own = {arm_key(arm["method"], arm["budget"]): arm for arm in arms}
    methods = dict.fromkeys(arm["method"] for arm in own.values())
    named = {name: study.named_methods[name] for name in methods}
    shared = shares_of({name: selection_parts(study, of) for name, of in named.items()})
    tuners = frozenset(name for name, of in named.items() if tuned_embedder(study, of))

    def borne(asset: str, partition: str) -> Borne | None:
        if asset in shared:
            found = shared[asset]
            return Borne(found.by, found.share, OTHER_TARGETS)
        of, _, name = asset.rpartition("/")
        if tuners and asset == tuned_embedder(study, named[min(tuners)]):
            return Borne(tuners, timed.tuned_share(asset), DISTILLING)
        if of != study.name or partition not in own:
            return None
        if name == SUBSET:  # of which each arm has its own
            return Borne(frozenset(named), 1.0)
        if name == CHECKPOINT:
            share = timed.warm_up_share(partition, own[partition]["training_flops"])
            return Borne(frozenset(named), share, OTHER_SEEDS)
        return None

    spent = [
        Spent(row["asset"], row["partition"], row["flops"], row["seconds"], row["current"])
        for row in spent_by_step(ledger, [study.name, study.pool])
    ]
    return divide(spent, borne, why_uncharged)
