"""Make what steps have staged visible and record it: the files first, then one transaction.

A transaction takes several times as long as what it writes of one version, so versions that are
ready together are published together: all of them are in the ledger, or none.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from resources.crash import crash_point
from resources.ledger.audit import materialization_id
from resources.ledger.continuation import carry_on, short_for
from resources.ledger.database import Database
from resources.ledger.pending import Pending
from resources.ledger.publication import Publication, record_values
from resources.ledger.refusals import refuse_to_publish
from resources.ledger.spend_rows import newest, state_of
from resources.ledger.spending import LEASE, OverCap
from resources.ledger.spends import Spender, settle_in
from resources.ledger.unreserved import Unreserved, settle_unreserved
from resources.store.artifacts import Artifact, ArtifactStore
from resources.store.records import Record, record_of


def publish_all(
    database: Database, store: ArtifactStore, many: Sequence[Pending]
) -> list[Artifact | OverCap]:
    """Make staged artifacts visible and record them, their inputs and their cost.

    One transaction makes the versions current, and a record beside the files of each says all that
    it says. Publishing the same identity and content again finds what is there.

    A step whose reservation was meanwhile recorded as lost reserves anew, in the same transaction,
    what it has spent beyond that.

    Returns
    -------
    list of Artifact or OverCap
        For each: as it is published; or why it is not, where no cap admits what was spent.
    """
    ones = [_Version(made, store.root) for made in many]
    with store.publishing():
        # Under the lock: what is found there already must not be cleared away before it is named.
        for one in ones:
            store.share(one.made.staged, *one.what)
        folders = []
        for one in ones:
            one.record.begin()
            folders.append(store.publish(one.made.staged, *one.what))
        crash_point("before_ledger")
        written = database.write_once(
            lambda connection: _write(connection, ones), lambda connection: _find(connection, ones)
        )
        for record, refused in written:
            if not refused:
                record.end()
    crash_point("after_ledger")
    return [
        OverCap(refused) if refused else one.artifact(folder)
        for one, folder, (_, refused) in zip(ones, folders, written, strict=True)
    ]


Written = list[tuple[Record, str]]
"""For each version, its record and why a cap refuses it."""


def _find(connection: duckdb.DuckDBPyConnection, ones: Sequence["_Version"]) -> Written | None:
    """What `_write` did, where an attempt whose outcome nobody learnt was committed."""
    found = []
    for one in ones:  # all of them are there, or none
        record = one.find(connection)
        if record is None:
            return None
        found.append((record, ""))
    return found


def _write(connection: duckdb.DuckDBPyConnection, ones: Sequence["_Version"]) -> Written:
    unreserved = [one.unreserved() for one in ones if one.made.spend is None]
    if unreserved:
        settle_unreserved(connection, unreserved)
    refused = [one.settle(connection) if one.made.spend is not None else "" for one in ones]
    settled = [one for one, why in zip(ones, refused, strict=True) if not why]
    values = record_values(connection, [one.record.spend for one in settled])
    for one in settled:
        one.record.write(values[one.record.spend] | {"current": one.published.current})
    return [(one.record, why) for one, why in zip(ones, refused, strict=True)]


class _Version:
    """One of the versions on their way; whatever is tried again, its spends keep their names."""

    def __init__(self, made: Pending, artifacts: Path) -> None:
        self.made = made
        self.what = made.identity.asset, made.identity.partition
        hashes = made.identity.input_hash, made.identity.code_version, made.staged.version
        self.published = Publication(
            materialization_id(*self.what, *hashes),
            *self.what,
            *hashes,
            run_id=made.run_id,
            rows=made.rows,
            bytes=made.staged.bytes,
            started_at=made.started_at,
            finished_at=datetime.now(UTC),
            inputs=tuple(sorted(set(made.inputs))),
            current=made.make_current,
        )
        self._spend = made.spend or uuid.uuid4().hex
        self._anew = uuid.uuid4().hex
        self._artifacts = artifacts
        self.record = self._record(self._spend)

    def artifact(self, folder: Path) -> Artifact:
        """What readers get."""
        return Artifact(*self.what, self.made.staged.version, folder, self.published.id)

    def find(self, connection: duckdb.DuckDBPyConnection) -> Record | None:
        """Its record, where the ledger has the version paid for by one of its spends."""
        settled = connection.execute(
            "SELECT id FROM spend WHERE id = ? AND materialization = ?",
            [newest(connection, self._spend), self.published.id],
        ).fetchone()
        return self._record(settled[0]) if settled else None

    def unreserved(self) -> Unreserved:
        """Its spend, where none was opened before it was made."""
        made = self.made
        spender = Spender(made.campaign, *self.what, made.run_id, made.cost.device, *made.paid_by)
        return Unreserved(self._spend, spender, made.started_at, made.cost, self.published)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Settle its reservation, or what goes on from it; returns why a cap refuses that."""
        cost = self.made.cost
        self.record = self.record.continued_by(newest(connection, self._spend))
        if state_of(connection, self.record.spend) == "lost":
            if short := short_for(connection, self.record.spend, cost.spent):
                return refuse_to_publish(connection, self.record.spend, *short)
            carry_on(connection, self.record.spend, self._anew, cost.spent, lease=LEASE)
            self.record = self.record.continued_by(self._anew)
        settle_in(connection, self.record.spend, cost, self.published)
        return ""

    def _record(self, spend: str) -> Record:
        return record_of(self._artifacts, self.published.path, spend)
