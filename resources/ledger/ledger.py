"""What was made, from what, and what it cost: the writing side of the DuckDB file."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from resources.crash import crash_point
from resources.ledger.audit import audit, head, holds, materialization_id
from resources.ledger.database import Database
from resources.ledger.spending import Spending
from resources.ledger.spends import Cost, Spender, insert_spend, settle_in
from resources.store.artifacts import Artifact, ArtifactStore, Staged


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


class Ledger:
    """Records spending and materializations, and says which version is current."""

    def __init__(self, database: Database, store: ArtifactStore) -> None:
        self._database = database
        self._store = store

    @property
    def spending(self) -> Spending:
        """Reservations, spending and caps."""
        return Spending(self._database)

    def verify(self, noted: str | None = None) -> list[str]:
        """What is wrong with the entries, and with what they say; nothing when all is well.

        Parameters
        ----------
        noted : hash of an entry, as `head` gave it once: it must still be there.
        """
        with self._database.transaction() as connection:
            found = list(audit(connection))
            if noted is not None and not holds(connection, noted):
                found.append(f"no entry has the hash {noted}: the ledger was cut off or replaced")
        return found

    def head(self) -> tuple[int, str]:
        """How many entries there are, and the hash of the last; note it elsewhere."""
        with self._database.transaction() as connection:
            return head(connection)

    def publish(
        self,
        staged: Staged,
        identity: Identity,
        *,
        campaign: str,
        inputs: Sequence[str],
        run_id: str,
        rows: int,
        started_at: datetime,
        cost: Cost,
        spend: str | None,
        make_current: bool = True,
    ) -> Artifact:
        """Make a staged artifact visible and record it, its inputs and its cost.

        The files move first; one transaction then makes the version current. Publishing the same
        identity and content again finds what is there.

        Parameters
        ----------
        inputs : ids of the materializations that were read.
        spend : the reservation, settled here; a step that needed none gets a settled entry.
        make_current : False for a version that failed a blocking check: it can be inspected, but
            readers keep the version before it.
        """
        materialization = materialization_id(
            identity.asset,
            identity.partition,
            identity.input_hash,
            identity.code_version,
            staged.version,
        )
        entry = spend or uuid.uuid4().hex

        def write(connection: duckdb.DuckDBPyConnection) -> bool:
            connection.execute(
                "INSERT INTO materialization VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [
                    materialization,
                    identity.asset,
                    identity.partition,
                    identity.input_hash,
                    identity.code_version,
                    staged.version,
                    run_id,
                    folder.relative_to(self._store.root).as_posix(),
                    rows,
                    staged.bytes,
                    started_at,
                    datetime.now(UTC),
                ],
            )
            for upstream in sorted(set(inputs)):
                connection.execute(
                    "INSERT INTO input VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [materialization, upstream],
                )
            if make_current:
                connection.execute(
                    "INSERT INTO current_version VALUES (?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET materialization = excluded.materialization",
                    [identity.asset, identity.partition, materialization],
                )
            if spend is None:
                made = identity.asset, identity.partition
                spender = Spender(campaign, *made, run_id, cost.device)
                insert_spend(connection, entry, spender, started_at, reserved=cost.spent)
            return settle_in(connection, entry, cost, materialization, inputs)

        def find(connection: duckdb.DuckDBPyConnection) -> bool | None:
            settled = connection.execute(
                "SELECT 1 FROM spend WHERE id = ? AND materialization = ?",
                [entry, materialization],
            ).fetchone()
            return True if settled else None

        with self._store.publishing():
            folder = self._store.publish(staged, identity.asset, identity.partition)
            crash_point("before_ledger")
            self._database.write_once(write, find)
        crash_point("after_ledger")
        return Artifact(identity.asset, identity.partition, staged.version, folder, materialization)

    def current(self, asset: str, partition: str) -> Artifact | None:
        """Return the current version, or None when there is none."""
        return self.current_versions(asset).get(partition)

    def current_versions(self, asset: str) -> dict[str, Artifact]:
        """All current versions of an asset by partition."""
        found = self._current("partition, data_version, path, id", asset)
        return {
            partition: Artifact(asset, partition, version, self._store.root / path, id_)
            for partition, version, path, id_ in found
        }

    def find(self, identity: Identity) -> Artifact | None:
        """Return the current version if it was made from the same inputs by the same code."""
        found = self.current_identities().get((identity.asset, identity.partition))
        if found is None or found != identity:
            return None
        return self.current(identity.asset, identity.partition)

    def current_data_versions(self) -> dict[tuple[str, str], str]:
        """(asset, partition) -> data version of everything current."""
        found = self._current("asset, partition, data_version")
        return {(row[0], row[1]): row[2] for row in found}

    def current_identities(self) -> dict[tuple[str, str], Identity]:
        """(asset, partition) -> identity of everything current."""
        found = self._current("asset, partition, input_hash, code_version")
        return {(row[0], row[1]): Identity(*row) for row in found}

    def _current(self, columns: str, asset: str | None = None) -> list[tuple[Any, ...]]:
        """Columns of the materializations that are current, of one asset or of all."""
        with self._database.transaction() as connection:
            return connection.execute(
                f"SELECT {columns} FROM materialization WHERE asset = coalesce(?, asset)"
                " AND id IN (SELECT materialization FROM current_version) ORDER BY partition",
                [asset],
            ).fetchall()

    @property
    def artifacts(self) -> Path:
        """Folder that the paths in the ledger start from."""
        return self._store.root

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
