"""What was made, from what, and what it cost: the writing side of the DuckDB file."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from resources.crash import crash_point
from resources.ledger import chain
from resources.ledger.audit import audit, materialization_id
from resources.ledger.continuation import carry_on, short_for
from resources.ledger.database import Database
from resources.ledger.loss import LedgerLost, refuse_absent, refuse_older
from resources.ledger.publication import Publication, differing_records, record_values
from resources.ledger.refusals import refuse_to_publish
from resources.ledger.spend_rows import newest, state_of
from resources.ledger.spending import LEASE, OverCap, Spending
from resources.ledger.spends import Cost, Spender, insert_spend, settle_in
from resources.store.artifacts import Artifact, ArtifactStore, Staged
from resources.store.held_folder import HeldFolder
from resources.store.records import Record, record_of
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


class Ledger:
    """Records spending and materializations, and says which version is current."""

    def __init__(self, database: Database, store: ArtifactStore) -> None:
        self._database = database
        self.store = store

    @property
    def database(self) -> Database:
        """The file, for who rebuilds it."""
        return self._database

    @property
    def spending(self) -> Spending:
        """Reservations, spending and caps."""
        return Spending(self._database)

    def verify(self, noted: str | None = None) -> list[str]:
        """What is wrong with the entries, and with what they say; nothing when all is well.

        Parameters
        ----------
        noted : hash of an entry, as `head` gave it once: it must still be there.

        Raises
        ------
        LedgerLost
            When there is no ledger though there are artifacts, or it cannot be read.
        """
        refuse_absent(self._database.path, self.artifacts)
        with self._database.unchecked() as connection:
            found = list(audit(connection))
            if not found:
                found.extend(differing_records(connection, self.artifacts))
            try:
                refuse_older(connection, self._database.path, self.artifacts)
            except LedgerLost as error:
                found.append(str(error))
            known = connection.execute("SELECT 1 FROM entry WHERE hash = ?", [noted]).fetchone()
            if noted is not None and known is None:
                found.append(f"no entry has the hash {noted}: the ledger was cut off or replaced")
        return found

    def head(self) -> tuple[int, str]:
        """How many entries there are, and the hash of the last; note it elsewhere."""
        with self._database.transaction() as connection:
            return chain.head(connection)

    def publish(self, made: Pending) -> Artifact:
        """Make a staged artifact visible and record it, its inputs and its cost.

        The files move first; one transaction then makes the version current, and a record beside
        the files says all that it says. Publishing the same identity and content again finds what
        is there.

        A step whose reservation was meanwhile recorded as lost reserves anew, in the same
        transaction, what it has spent beyond that.

        Raises
        ------
        OverCap
            When a cap does not admit that: nothing is published.
        """
        staged, cost = made.staged, made.cost
        made_by = made.identity
        what = made_by.asset, made_by.partition
        hashes = made_by.input_hash, made_by.code_version, staged.version
        materialization = materialization_id(*what, *hashes)
        entry = made.spend or uuid.uuid4().hex
        anew = uuid.uuid4().hex
        published = Publication(
            materialization,
            *what,
            *hashes,
            run_id=made.run_id,
            rows=made.rows,
            bytes=staged.bytes,
            started_at=made.started_at,
            finished_at=datetime.now(UTC),
            inputs=tuple(sorted(set(made.inputs))),
            current=made.make_current,
        )
        begun = record_of(self.artifacts, published.path, entry)

        def write(connection: duckdb.DuckDBPyConnection) -> tuple[Record, str]:
            record = begun.continued_by(newest(connection, entry))
            if state_of(connection, record.spend) == "lost":
                if short := short_for(connection, record.spend, cost.spent):
                    return record, refuse_to_publish(connection, record.spend, *short)
                carry_on(connection, record.spend, anew, cost.spent, lease=LEASE)
                record = record.continued_by(anew)
            if made.spend is None:
                spender = Spender(made.campaign, *what, made.run_id, cost.device, *made.paid_by)
                insert_spend(connection, entry, spender, made.started_at, reserved=cost.spent)
            settle_in(connection, record.spend, cost, published)
            values = record_values(connection, record.spend)
            record.write(values | {"current": published.current})
            return record, ""

        def find(connection: duckdb.DuckDBPyConnection) -> tuple[Record, str] | None:
            settled = connection.execute(
                "SELECT id FROM spend WHERE id = ? AND materialization = ?",
                [newest(connection, entry), materialization],
            ).fetchone()
            return (record_of(self.artifacts, published.path, settled[0]), "") if settled else None

        if not self._database.path.exists():
            self.head()  # before there is anything that could have been another ledger's
        with self.store.publishing():
            begun.begin()
            folder = self.store.publish(staged, *what)
            crash_point("before_ledger")
            record, refused = self._database.write_once(write, find)
            if not refused:
                record.end()
        if refused:
            raise OverCap(refused)
        crash_point("after_ledger")
        return Artifact(*what, staged.version, folder, materialization)

    def current(self, asset: str, partition: str) -> Artifact | None:
        """Return the current version, or None when there is none."""
        return self.current_versions(asset).get(partition)

    def current_versions(self, asset: str) -> dict[str, Artifact]:
        """All current versions of an asset by partition."""
        return {row["partition"]: self.artifact(row) for row in self._current(asset)}

    def published(self, asset: str) -> dict[Identity, Artifact]:
        """All current versions of an asset, by what they were made of."""
        return {_identity(row): self.artifact(row) for row in self._current(asset)}

    def find_alike(self, identity: Identity) -> Artifact | None:
        """Return what was made of the same inputs by the same code under another asset's key."""
        for row in self._current():
            alike = _identity(row)
            if replace(alike, asset=identity.asset) == identity and alike != identity:
                return self.artifact(row)
        return None

    def all_current_versions(self) -> dict[str, dict[str, Artifact]]:
        """All current versions by asset and partition, of one moment."""
        found: dict[str, dict[str, Artifact]] = {}
        for row in self._current():
            found.setdefault(row["asset"], {})[row["partition"]] = self.artifact(row)
        return found

    def current_data_versions(self) -> dict[tuple[str, str], str]:
        """(asset, partition) -> data version of everything current."""
        return {(row["asset"], row["partition"]): row["data_version"] for row in self._current()}

    def current_identities(self) -> dict[tuple[str, str], Identity]:
        """(asset, partition) -> identity of everything current."""
        return {(row["asset"], row["partition"]): _identity(row) for row in self._current()}

    def artifact(self, row: Mapping[str, Any]) -> Artifact:
        """Return the artifact that a row of `materialization` describes."""
        what = row["asset"], row["partition"], row["data_version"]
        return Artifact(*what, self.store.folder(*what), row["id"])

    def _current(self, asset: str | None = None) -> list[dict[str, Any]]:
        """The materializations that are current, of one asset or of all."""
        return self.query(
            "SELECT * FROM materialization WHERE asset = coalesce(?, asset)"
            " AND id IN (SELECT materialization FROM current_version) ORDER BY partition",
            [asset],
        )

    @property
    def artifacts(self) -> Path:
        """Folder that the paths in the ledger start from."""
        return self.store.root

    def query(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Answer one SELECT, whose values are bound, as a dict a row.

        Raises
        ------
        ValueError
            For a statement that writes, or several statements.
        """
        with self._database.transaction() as connection:
            parsed = connection.extract_statements(statement)
            if [part.type for part in parsed] != [duckdb.StatementType.SELECT]:
                raise ValueError(f"not one SELECT: {statement}")
            answer = connection.execute(parsed[0], list(values))
            names = [column[0] for column in answer.description or []]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _identity(row: Mapping[str, Any]) -> Identity:
    return Identity(*(row[field.name] for field in fields(Identity)))


def hash_inputs(versions: Mapping[str, str]) -> str:
    """Hash of what a step reads.

    Parameters
    ----------
    versions : name of each thing read (`asset[partition]`, or a file outside) to its version.
    """
    lines = [f"{name} {version}" for name, version in sorted(versions.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def open_ledger(store_root: Path) -> Ledger:
    """Return the ledger and store under one root, as every process of the project opens it."""
    artifacts = store_root / "artifacts"
    store_root.mkdir(mode=0o700, parents=True, exist_ok=True)
    artifacts.mkdir(mode=0o700, exist_ok=True)
    database = Database(store_root / "ledger.duckdb", artifacts)
    return Ledger(database, ArtifactStore(artifacts))
