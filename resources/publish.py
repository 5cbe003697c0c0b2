"""Publish what steps have staged, each in one row of the ledger; else close what they held."""

from collections.abc import Sequence

import dagster as dg

from resources.ledger.ledger import Ledger
from resources.ledger.pending import Pending
from resources.ledger.spending import OverCap
from resources.refused import refused
from resources.store.artifacts import Artifact


def publish(ledger: Ledger, many: Sequence[Pending]) -> list[Artifact | dg.Failure]:
    """Publish pending artifacts, in one transaction; their work folders have then had their use.

    Returns
    -------
    list of Artifact or dagster.Failure
        For each: as it is published; or that a cap has no room for what was spent after its step
        was recorded as lost.
    """
    try:
        published = ledger.publish_all(many)
        for made, one in zip(many, published, strict=True):
            if made.work is not None and isinstance(one, Artifact):
                made.work.remove()
        return [refused(str(one)) if isinstance(one, OverCap) else one for one in published]
    except BaseException:
        # The process may live long, and so would what it has reserved.
        for made in many:
            if made.spend is not None:
                ledger.spending.lose(spend=made.spend, begun=made.cost.spent)
        raise
    finally:
        for made in many:
            if made.work is not None:
                made.work.hold.release()
