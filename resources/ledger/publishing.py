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
from resources.ledger.spends import Spender, insert_spend, settle_in
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
        folders = []
        for one in ones:
            one.begun.begin()
            folders.append(store.publish(one.made.staged, *one.what))
        crash_point("before_ledger")
        written = database.write_once(
            lambda connection: [one.find(connection) or one.write(connection) for one in ones],
            lambda _: None,  # each looks itself up
        )
        for record, refused in written:
            if not refused:
                record.end()
    crash_point("after_ledger")
    return [
        OverCap(refused) if refused else one.artifact(folder)
        for one, folder, (_, refused) in zip(ones, folders, written, strict=True)
    ]


class _Version:
    """One of the versions on their way; whatever it is tried, its spends keep their names."""

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
        self.begun = self._record(self._spend)

    def artifact(self, folder: Path) -> Artifact:
        """What readers get."""
        return Artifact(*self.what, self.made.staged.version, folder, self.published.id)

    def find(self, connection: duckdb.DuckDBPyConnection) -> tuple[Record, str] | None:
        """Return what `write` did, where the ledger has it."""
        settled = connection.execute(
            "SELECT id FROM spend WHERE id = ? AND materialization = ?",
            [newest(connection, self._spend), self.published.id],
        ).fetchone()
        return (self._record(settled[0]), "") if settled else None

    def write(self, connection: duckdb.DuckDBPyConnection) -> tuple[Record, str]:
        """Write it and its record; returns that, and why a cap refuses it."""
        made, cost = self.made, self.made.cost
        record = self.begun.continued_by(newest(connection, self._spend))
        if state_of(connection, record.spend) == "lost":
            if short := short_for(connection, record.spend, cost.spent):
                return record, refuse_to_publish(connection, record.spend, *short)
            carry_on(connection, record.spend, self._anew, cost.spent, lease=LEASE)
            record = record.continued_by(self._anew)
        if made.spend is None:
            spender = Spender(made.campaign, *self.what, made.run_id, cost.device, *made.paid_by)
            insert_spend(connection, record.spend, spender, made.started_at, reserved=cost.spent)
        settle_in(connection, record.spend, cost, self.published)
        values = record_values(connection, record.spend)
        record.write(values | {"current": self.published.current})
        return record, ""

    def _record(self, spend: str) -> Record:
        return record_of(self._artifacts, self.published.path, spend)
