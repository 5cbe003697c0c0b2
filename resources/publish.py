"""Publish what a step has staged, in one row of the ledger; if that fails, close what it held."""

from resources.ledger.ledger import Ledger, Pending
from resources.ledger.spending import OverCap
from resources.refused import refused
from resources.store.artifacts import Artifact


def publish(ledger: Ledger, made: Pending) -> Artifact:
    """Publish a pending artifact; its work folder has then served its purpose.

    Raises
    ------
    dagster.Failure
        When a cap has no room for what was spent after a step was recorded as lost.
    """
    try:
        published = ledger.publish(made)
    except OverCap as error:
        raise refused(str(error)) from error
    except BaseException:
        # The process may live long, and so would what it has reserved.
        if made.spend is not None:
            ledger.spending.lose(spend=made.spend, begun=made.cost.spent)
        raise
    else:
        if made.work is not None:
            made.work.remove()
        return published
    finally:
        if made.work is not None:
            made.work.hold.release()
