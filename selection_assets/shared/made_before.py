"""What has been made of a source's rows before, by the very same maker?"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.blocks import stretches
from selection_assets.shared.stored_rows import AT_ONCE
from selection_assets.stage.step import Step

MOST_PARTS = 64
"""Of an index; so many versions are added before it is sorted anew."""


@dataclass(frozen=True)
class MadeBefore:
    """Entries that an earlier artifact has of some rows.

    Attributes
    ----------
    artifact : that has them, in the order of its `rows.parquet`.
    ours, theirs : int64 of the same shape; places of the rows in the source, and in the artifact.
    """

    artifact: Artifact
    ours: np.ndarray
    theirs: np.ndarray

    def copy(self, file: str, into: np.ndarray) -> None:
        """Copy the entries of a `.npy` file to their places."""
        into[self.ours] = self.artifact.array(file)[self.theirs]


@dataclass
class RowsMade:
    """Where an asset's versions have what rows: each version is read once, for all of a run.

    Attributes
    ----------
    made_by : what an entry depends on beside its row.
    label : JSON file of a version that says the same of it.
    """

    made_by: Mapping[str, str]
    label: str
    _seen: set[Path] = field(default_factory=set)
    _artifacts: list[Artifact] = field(default_factory=list)
    _parts: list["_Part"] = field(default_factory=list)

    def made_before(self, row_id: pa.ChunkedArray, current: Iterable[Artifact]) -> list[MadeBefore]:
        """Find rows in the current versions that were made by the same.

        Parameters
        ----------
        row_id : distinct.
        current : versions, each with its rows' ids in `rows.parquet`.
        """
        versions = {artifact.folder: artifact for artifact in current}
        for folder in versions.keys() - self._seen:
            self._read(versions[folder])
        self._seen |= versions.keys()
        found = []
        if not self._parts:
            return found
        wanted = _bytes_of(row_id)
        for part in self._parts:
            ours, number, theirs = part.look_up(wanted)
            for one in np.unique(number):
                artifact, of_it = self._artifacts[one], number == one
                if artifact.folder in versions:
                    found.append(MadeBefore(artifact, ours[of_it], theirs[of_it]))
        return found

    def _read(self, artifact: Artifact) -> None:
        # One of an earlier release may not say by whom it was made.
        if self.label not in artifact.files() or artifact.json(self.label) != self.made_by:
            return
        ids = _bytes_of(artifact.table("rows.parquet", ["row_id"])["row_id"])
        number = np.full(len(ids), len(self._artifacts), dtype=np.int32)
        self._artifacts.append(artifact)
        self._parts.append(_Part(ids, number, np.arange(len(ids))).in_order())
        if len(self._parts) > MOST_PARTS:
            columns = zip(*(vars(part).values() for part in self._parts), strict=True)
            self._parts = [_Part(*map(np.concatenate, columns)).in_order()]


@dataclass(frozen=True)
class _Part:
    """Rows of some versions, by id; of shape (n,) each: id, number of the version, place in it."""

    ids: np.ndarray
    number: np.ndarray
    place: np.ndarray

    def in_order(self) -> "_Part":
        order = np.argsort(self.ids, kind="stable")
        return _Part(self.ids[order], self.number[order], self.place[order])

    def look_up(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of those that are there; of each, number of a version and place in that."""
        at = np.searchsorted(self.ids, wanted)
        there = at < len(self.ids)
        there[there] = self.ids[at[there]] == wanted[there]
        return np.flatnonzero(there), self.number[at[there]], self.place[at[there]]


def rows_made(step: Step, made_by: Mapping[str, str], label: str) -> RowsMade:
    """Index of what a stage has made before, which the partitions of a run share."""
    name = f"{label} of {json.dumps(made_by, sort_keys=True)}"
    return step.once(name, lambda: RowsMade(made_by, label))


def not_made(n_rows: int, before: Iterable[MadeBefore]) -> np.ndarray:
    """Places of the rows that none of these has, ascending, int64."""
    lacking = np.ones(n_rows, dtype=bool)
    for one in before:
        lacking[one.ours] = False
    return np.flatnonzero(lacking)


def _bytes_of(row_id: pa.ChunkedArray) -> np.ndarray:
    """Ids as numpy compares them fast; they are hexadecimal."""
    some = (row_id.slice(part.start, AT_ONCE) for part in stretches(len(row_id), AT_ONCE))
    return np.concatenate([one.to_numpy().astype("S") for one in some])
