"""Content-addressed artifact folders: written whole or not at all, verified when read."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.crash import crash_point
from resources.store.checked_files import CorruptArtifact, check_file, hash_file
from resources.store.contents import Content, flush, write_content
from resources.store.held_folder import HeldFolder, Hold, make_and_hold, stage_folder
from resources.store.manifest import MANIFEST, read_manifest, version_of
from resources.store.publishing_lock import locked
from resources.store.shared import fetch_missing, shared_store
from resources.store.version_folders import version_place

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

WORK, LOCK = ".work", ".publishing.lock"
"""Beside the assets, and `STAGE`: what a killed step resumes from, and a lock."""

UNPARTITIONED = "all"
"""Folder name and ledger value of an asset without partitions."""


@dataclass(frozen=True)
class Artifact:
    """One published version of one partition of one asset.

    Attributes
    ----------
    asset, partition : where it belongs, as `prefix/name` and partition key.
    version : hash of the content, which is also Dagster's data version.
    folder : the files.
    materialization : the ledger's id of the materialization that made it.
    """

    asset: str
    partition: str
    version: str
    folder: Path
    materialization: str

    def path(self, name: str) -> Path:
        """Path of one file or folder of the artifact, after checking it against the manifest.

        Raises
        ------
        CorruptArtifact
            When a file is missing, or its size or hash differs.
        """
        covered = {
            file: entry
            for file, entry in self._manifest().items()
            if file == name or file.startswith(f"{name}/")
        }
        if not covered:
            raise CorruptArtifact(f"{self.folder / name}: not in the manifest; materialize again")
        for file, entry in covered.items():
            self._fetch_if_missing(file)
            check_file(self.folder / file, entry, full=False)
        return self.folder / name

    def files(self) -> list[str]:
        """Names of all files."""
        return sorted(self._manifest())

    def table(self, name: str, columns: list[str] | None = None) -> "pa.Table":
        """Read a Parquet file."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path(name), columns=columns)

    def pieces(self, name: str, columns: list[str], rows: int = 16_384) -> "Iterator[pa.Table]":
        """Read a Parquet file piece by piece; one without rows is one piece."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self.path(name))
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table().select(columns)
        for batch in file.iter_batches(rows, columns=columns):
            yield pa.Table.from_batches([batch])

    def n_rows(self, name: str) -> int:
        """Rows of a Parquet file, of which only the end is read."""
        import pyarrow.parquet as pq

        return pq.read_metadata(self.path(name)).num_rows

    def array(self, name: str) -> "np.ndarray":
        """Memory-map a matrix."""
        import numpy as np

        return np.load(self.path(name), mmap_mode="r", allow_pickle=False)

    def json(self, name: str) -> Any:
        """Read a JSON file."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def arrays(self, name: str) -> dict[str, "np.ndarray"]:
        """Read a safetensors file as numpy arrays."""
        from safetensors.numpy import load_file

        return load_file(self.path(name))

    def verify(self, *, full: bool = True, fetch: bool = True) -> None:
        """Hash every file; unless `full`, large ones have only their size checked, as by `path`.

        Parameters
        ----------
        fetch : whether what this machine lacks is fetched from where the project shares it.

        Raises
        ------
        CorruptArtifact
            Naming the first file that differs.
        """
        for file, entry in self._manifest(fetch=fetch).items():
            if fetch:
                self._fetch_if_missing(file)
            check_file(self.folder / file, entry, full=full)

    def _manifest(self, *, fetch: bool = True) -> dict[str, dict[str, Any]]:
        if fetch:
            self._fetch_if_missing(MANIFEST)
        return read_manifest(self.folder, self.asset)

    def _fetch_if_missing(self, name: str) -> None:
        if not (self.folder / name).is_file():
            root = self.folder.parents[self.asset.count("/") + 2]
            fetch_missing(self.folder, root)


@dataclass(frozen=True)
class Staged:
    """Files written and hashed but not yet visible to anybody.

    Attributes
    ----------
    folder : where they lie.
    version : hash of the content.
    bytes : of the files.
    hold : on the folder, which keeps `selection gc` away until it is published.
    """

    folder: Path
    version: str
    bytes: int
    hold: Hold


@dataclass(frozen=True)
class ArtifactStore:
    """The folder tree `<asset>/<partition>/<version>/` under one root."""

    root: Path

    def stage(self, files: Mapping[str, Content]) -> Staged:
        """Write the files into a private folder, flushed to disk, and hash them.

        Parameters
        ----------
        files : name to content. A `Path` is moved in; tables become Parquet, arrays `.npy`
            (or safetensors for a dict of arrays), dicts JSON.
        """
        held = self.new_stage_folder()
        folder = held.path
        for name, content in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_content(target, content)
        entries = {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": hash_file(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        version = version_of(entries)
        manifest = json.dumps({"files": entries}, indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(manifest, encoding="utf-8")
        crash_point("after_stage")
        for path in [*folder.rglob("*"), folder]:
            flush(path)
        crash_point("after_fsync")
        total = sum(entry["bytes"] for entry in entries.values())
        return Staged(folder, version, total, held.hold)

    def share(self, staged: Staged, asset: str, partition: str) -> None:
        """Put staged files where the project shares them, if it does, before they are published.

        Raises
        ------
        SharedStoreFailed
            When they cannot be put there: then they must not be published either.
        """
        if (shared := shared_store()) is not None:
            shared.keep(staged.folder, version_place(asset, partition, staged.version))

    def publish(self, staged: Staged, asset: str, partition: str) -> Path:
        """Rename the staged folder to its final place; the same content is kept only once.

        What lies there damaged is replaced: so materializing again repairs it. Call it within
        `publishing`, which the ledger's transaction must share.
        """
        final = self.folder(asset, partition, staged.version)
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            staged.folder.rename(final)
        except OSError:
            # Somebody published the same content first; anything else in the way is an error.
            if not _holds_only_files_of(staged.folder, final):
                raise
            try:
                Artifact(asset, partition, staged.version, final, "").verify(fetch=False)
                shutil.rmtree(staged.folder)
            except CorruptArtifact:
                damaged = self.new_stage_folder()
                final.rename(damaged.path / "damaged")
                staged.folder.rename(final)
                damaged.remove()
        staged.hold.release()
        crash_point("after_rename")
        # The folders above may be as new as the one renamed, and each is named by the next.
        for folder in final.parents:
            flush(folder)
            if folder == self.root:
                break
        return final

    def publishing(self) -> AbstractContextManager[None]:
        """Keep `selection gc` from what is renamed here until the ledger names it."""
        return locked(self.root / LOCK, alone=False)

    def nobody_publishing(self) -> AbstractContextManager[None]:
        """Wait until every folder renamed so far is in the ledger or never will be, and hold it so.

        Raises
        ------
        resources.store.publishing_lock.StoreBusy
            When that moment does not come.
        """
        return locked(self.root / LOCK, alone=True)

    def new_stage_folder(self) -> HeldFolder:
        """Make a private folder: once nobody holds it, its purpose is gone."""
        return stage_folder(self.root)

    def folder(self, asset: str, partition: str, version: str) -> Path:
        """Where a version of an asset's partition lies."""
        return self.root / version_place(asset, partition, version)

    def work_folder(self, key: str) -> HeldFolder:
        """A folder that survives a killed step, found again by the same key.

        While somebody is at the same work in it, this is another one of that key. Of several in
        which nobody is, it is the one in which most lies: what an attempt has left is found again.
        """
        work = self.root / WORK
        left = list(work.glob(f"{work_name(key)}*"))
        fullest = sorted(left, key=lambda one: (-_bytes_in(one), one.name))
        others = (work / work_name(key, number) for number in count())
        # Each is waited for once: what was left is not asked for again.
        for folder in chain(fullest, (other for other in others if other not in left)):
            if hold := make_and_hold(folder):
                return HeldFolder(folder, hold)
        raise AssertionError("there are always others")


def work_name(key: str, number: int = 0) -> str:
    """Name of a key's work folder, or of another of them for who is at the same work beside it."""
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{name}-{number}" if number else name


def _bytes_in(folder: Path) -> int:
    """Of the files in a folder, in which somebody may be at work."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _holds_only_files_of(staged: Path, folder: Path) -> bool:
    """Whether a folder may be an earlier copy of a staged one, damaged or not."""
    found = {path.relative_to(folder) for path in folder.rglob("*")}
    return found <= {path.relative_to(staged) for path in staged.rglob("*")}
