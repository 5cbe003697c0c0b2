"""What is computed and waits for others to be published with: a transaction takes long."""

import time
from collections.abc import Mapping

from resources.ledger.ledger import Ledger
from resources.publish import publish
from resources.store.artifacts import Artifact
from selection_assets.stage.run_step import Computed, Made

SECONDS = 1.0
"""After which nothing waits any longer: what a kill costs beyond the partition at work."""

AT_MOST = 32
"""Versions in one transaction, during which nobody else has the ledger."""


class Waiting:
    """Partitions of one step, in the order in which they were computed.

    Parameters
    ----------
    alone : each is published at once, so that what is reserved for it holds nobody up.
    """

    def __init__(self, ledger: Ledger, *, alone: bool) -> None:
        self._ledger = ledger
        self._alone = alone
        self._since = 0.0
        self._done: dict[str, Made | Computed] = {}

    def add(self, partition: str, done: Made | Computed) -> None:
        """Take one that is computed, or was found published."""
        if not self._done:
            self._since = time.monotonic()
        self._done[partition] = done

    def publish_if_due(self) -> Mapping[str, Made | Exception]:
        """Publish what waits if one of it has waited for long enough; else nothing."""
        waited = time.monotonic() - self._since
        due = self._alone or waited >= SECONDS or len(self._done) >= AT_MOST
        return self.publish() if due else {}

    def publish(self) -> Mapping[str, Made | Exception]:
        """Publish what waits: partition to what became of it, an error being that of all."""
        done, self._done = self._done, {}
        computed = {name: one for name, one in done.items() if isinstance(one, Computed)}
        if not computed:
            return {name: one for name, one in done.items() if isinstance(one, Made)}
        try:
            published = publish(self._ledger, [one.pending for one in computed.values()])
        except Exception as error:  # noqa: BLE001 (who asked tells it of each)
            return {name: one if isinstance(one, Made) else error for name, one in done.items()}
        became = dict(zip(computed, published, strict=True))
        return {
            name: one if isinstance(one, Made) else _made(one, became[name])
            for name, one in done.items()
        }


def _made(computed: Computed, became: Artifact | Exception) -> Made | Exception:
    if isinstance(became, Exception):
        return became
    return Made(computed.step, became, computed.facts, computed.checks)
