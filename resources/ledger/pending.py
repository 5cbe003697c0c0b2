"""What a step has made and nobody sees yet, with all that the ledger will say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from resources.ledger.spends import Cost
from resources.store.artifacts import Staged
from resources.store.held_folder import HeldFolder
from selection.budget.amounts import Cap


@dataclass(frozen=True)
class Identity:
    """Which materialization this is: the same identity is never recorded twice.

    Attributes
    ----------
    asset, partition : what is made.
    input_hash : hash of the data versions of everything read, files outside included.
    code_version : of the asset, its parameters included.
    """

    asset: str
    partition: str
    input_hash: str
    code_version: str

    @property
    def work(self) -> str:
        """Key of the folder in which a killed attempt left its work."""
        return "\0".join(vars(self).values())


@dataclass(frozen=True)
class Pending:
    """A staged artifact with all that the ledger will say of it.

    Attributes
    ----------
    campaign : the study or pool whose work it is.
    inputs : ids of the materializations that were read.
    rows : how many rows or examples it holds.
    spend : the reservation, to be settled; a step that needed none gets a settled entry, which no
        cap refuses and every cap of who pays counts.
    work : the folder in which it was made, for the next attempt if it cannot be published.
    make_current : False for a version that failed a blocking check: it can be inspected, but
        readers keep the version before it.
    paid_by : payers, caps and price as `Spender` has them, of a step that needed no reservation.
    """

    staged: Staged
    identity: Identity
    campaign: str
    inputs: Sequence[str]
    run_id: str
    rows: int
    started_at: datetime
    cost: Cost
    spend: str | None
    work: HeldFolder | None = None
    make_current: bool = True
    paid_by: tuple[Mapping[str, float], Mapping[str, Cap], float | None] = ({}, {}, None)
