"""What has been made of a source's rows before, by the very same maker?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from resources.store.artifacts import Artifact


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


def made_before(
    row_id: np.ndarray, artifacts: Iterable[Artifact], made_by: Mapping[str, str], label: str
) -> list[MadeBefore]:
    """Find the rows in artifacts whose JSON file `label` says that they were made by the same.

    Parameters
    ----------
    row_id : of shape (n,), distinct.
    artifacts : an asset's current versions, each with its rows' ids in `rows.parquet`.
    made_by : what an entry depends on beside its row.
    """
    found = []
    for artifact in artifacts:
        # One of an earlier release may not say by whom it was made.
        if not (artifact.folder / label).is_file() or artifact.json(label) != made_by:
            continue
        theirs = artifact.table("rows.parquet", ["row_id"])["row_id"].to_numpy()
        _, ours_at, theirs_at = np.intersect1d(
            row_id, theirs, assume_unique=True, return_indices=True
        )
        found.append(MadeBefore(artifact, ours_at, theirs_at))
    return found


def not_made(n_rows: int, before: Iterable[MadeBefore]) -> np.ndarray:
    """Places of the rows that none of these has, ascending, int64."""
    lacking = np.ones(n_rows, dtype=bool)
    for one in before:
        lacking[one.ours] = False
    return np.flatnonzero(lacking)
