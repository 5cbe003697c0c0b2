"""What was made, from what, and what it cost: the writing side of the DuckDB file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb

from resources.ledger import chain
from resources.ledger.audit import audit
from resources.ledger.database import Database
from resources.ledger.loss import LedgerLost, refuse_absent, refuse_older
from resources.ledger.pending import Identity, Pending
from resources.ledger.publication import differing_records
from resources.ledger.publishing import publish_all
from resources.ledger.spending import OverCap, Spending
from resources.store.artifacts import Artifact, ArtifactStore


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

        Raises
        ------
        OverCap
            When its reservation was recorded as lost, and a cap does not admit what it has spent
            beyond that: nothing is published.
        """
        [published] = self.publish_all([made])
        if isinstance(published, OverCap):
            raise published
        return published

    def publish_all(self, many: Sequence[Pending]) -> list[Artifact | OverCap]:
        """Do so with several, in one transaction: each becomes visible, or its cap refuses it."""
        if not self._database.path.exists():
            self.head()  # before there is anything that could have been another ledger's
        return publish_all(self._database, self.store, many)

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
