"""A copy of what is published, in a bucket or a folder that other machines see.

The store's own folder is then a cache: what is missing there is fetched. Nothing is renamed or
changed in a bucket: a file is a blob named by its hash, put if it is not there, and a version's
manifest, put last, makes the version whole. Only the ledger, on the machine that pays, says which
version is current.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.crash import crash_point
from resources.store.checked_files import CorruptArtifact, hash_file
from resources.store.manifest import MANIFEST

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AT_ONCE = 8
"""Files on their way at a time."""

IN_ONE_REQUEST = 64 * 2**20
"""Bytes; a larger file is put in parts, which no bucket lets be conditional. Whoever puts it at the
same time puts the same bytes."""

PATIENCE = timedelta(seconds=60)
"""For so long a request is tried again that a server answered with an error, or not at all."""


class SharedStoreFailed(RuntimeError):
    """The bucket does not do what it is asked, or cannot be reached."""


@dataclass(frozen=True)
class SharedStore:
    """Blobs and manifests under an address.

    Who may read and write there is said by the environment (`AWS_ACCESS_KEY_ID` and the like), and
    nowhere else.

    Attributes
    ----------
    address : `s3://bucket/prefix`, or a folder.
    """

    address: str

    def keep(self, folder: Path, where: str) -> None:
        """Put a version: its files, those that are not there, and its manifest last.

        Parameters
        ----------
        folder : with the files and the manifest that names them.
        where : the version's asset, partition and hash.

        Raises
        ------
        SharedStoreFailed
            When it cannot be put; nothing is current that is not there.
        """
        manifest = (folder / MANIFEST).read_bytes()
        files = json.loads(manifest)["files"]
        self._at_once(lambda name: self._keep_file(folder / name, files[name]["sha256"]), files)
        crash_point("after_blobs")
        with self._asked(f"put the manifest of {where}"):
            self._create(_manifest_of(where), manifest)
        crash_point("after_shared")

    def bring(self, folder: Path, where: str) -> None:
        """Fetch the files of a version that a folder lacks; what is there is not looked at.

        Raises
        ------
        CorruptArtifact
            When the bucket has no such version, or another file than its manifest says.
        SharedStoreFailed
            When it cannot be read.
        """
        import obstore

        with self._asked(f"read the manifest of {where}"):
            try:
                manifest = bytes(obstore.get(self._bucket, _manifest_of(where)).bytes())
            except FileNotFoundError as error:
                raise CorruptArtifact(
                    f"{folder}: missing here and in {self.address}; materialize the asset again"
                ) from error
        files = json.loads(manifest)["files"]
        missing = {name: entry for name, entry in files.items() if not (folder / name).is_file()}
        self._at_once(lambda name: self._bring_file(folder / name, missing[name]), missing)
        if not (folder / MANIFEST).is_file():  # last: it says that the others are there
            with _written_whole(folder / MANIFEST) as file:
                file.write_bytes(manifest)

    def __contains__(self, where: str) -> bool:
        """Whether a version is there, whole."""
        return self._has(_manifest_of(where))

    def versions(self) -> dict[str, datetime]:
        """Every version that is there, with the time at which it was put."""
        with self._asked("list the versions"):
            found = [one for many in self._bucket.list("versions") for one in many]
        places = {one["path"].removeprefix("versions/"): one["last_modified"] for one in found}
        return {path.removesuffix(f"/{MANIFEST}"): put for path, put in places.items()}

    def forget(self, versions: Collection[str], *, until: datetime) -> int:
        """Remove versions, and then the blobs that no version names; returns how many blobs.

        Parameters
        ----------
        until : what was put later stays, since somebody may be about to name it.
        """
        import obstore

        with self._asked("remove versions"):
            for where in versions:
                obstore.delete(self._bucket, _manifest_of(where))
            blobs = [one for many in self._bucket.list("blobs") for one in many]
            named: set[str] = set()
            for where in self.versions():
                manifest = bytes(obstore.get(self._bucket, _manifest_of(where)).bytes())
                files = json.loads(manifest)["files"].values()
                named |= {_blob_of(entry["sha256"]) for entry in files}
            unnamed = [
                one["path"]
                for one in blobs
                if one["path"] not in named and one["last_modified"] < until
            ]
            for blob in unnamed:
                obstore.delete(self._bucket, blob)
        return len(unnamed)

    def _keep_file(self, file: Path, digest: str) -> None:
        import obstore

        blob = _blob_of(digest)
        with self._asked(f"put {file.name}"):
            if self._has(blob):
                return
            if file.stat().st_size <= IN_ONE_REQUEST:
                self._create(blob, file.read_bytes())
            else:
                obstore.put(self._bucket, blob, file)

    def _bring_file(self, target: Path, entry: Mapping[str, Any]) -> None:
        import obstore

        with self._asked(f"read {target.name}"), _written_whole(target) as file:
            found = obstore.get(self._bucket, _blob_of(entry["sha256"]))
            with file.open("wb") as opened:
                for chunk in found.stream():
                    opened.write(chunk)
            if hash_file(file) != entry["sha256"]:
                raise CorruptArtifact(
                    f"{self.address}: the blob of {target} does not hash to its name; remove it"
                    " there and materialize the asset again"
                )

    def _create(self, key: str, content: bytes) -> None:
        """Put what is named by what it is, unless it is there."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with suppress(AlreadyExistsError):  # somebody was faster, with the same
            obstore.put(self._bucket, key, content, mode="create", use_multipart=False)

    def _has(self, key: str) -> bool:
        import obstore

        try:
            obstore.head(self._bucket, key)
        except FileNotFoundError:
            return False
        return True

    def _at_once(self, call: Callable[[str], None], names: Mapping[str, Any]) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="shared") as pool:
            list(pool.map(call, names))

    @cached_property
    def _bucket(self) -> ObjectStore:
        from obstore.store import LocalStore, from_url

        if "://" not in self.address:
            return LocalStore(self.address, mkdir=True)
        return from_url(self.address, retry_config={"retry_timeout": PATIENCE})

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """Say of an error of the bucket where it is and what was asked."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, PermissionError) as error:
            raise SharedStoreFailed(
                f"{self.address}: could not {what}: {str(error).splitlines()[0]}; see that the"
                " bucket is there and that the environment says who may use it"
            ) from error


def shared_store() -> SharedStore | None:
    """The one that the project names in `project.yaml`, if it does."""
    # Most who read an artifact never ask, and do without what reads a configuration.
    from resources.paths import project_settings
    from resources.project import project_root

    address = project_settings().store
    if address is None:
        return None
    if find_spec("obstore") is None:
        raise SharedStoreFailed(
            f"{address}: the package obstore is missing: `pip install 'selection-assets[s3]'`"
        )
    return _at(address if "://" in address else str(project_root() / address))


@cache
def _at(address: str) -> SharedStore:
    return SharedStore(address)  # with its connections


def place(asset: str, partition: str, version: str) -> str:
    """Where a version is in a shared store, as in a folder of artifacts."""
    return f"{asset}/{partition}/{version}"


def _manifest_of(where: str) -> str:
    return f"versions/{where}/{MANIFEST}"


def _blob_of(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


@contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """Give a file beside the target, which takes its name when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        yield part
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
