"""A copy of what is published, in a bucket or a folder that other machines see.

The store's own folder is then a cache: what is missing there is fetched. Nothing is renamed or
changed in a bucket: a file is a blob named by its hash, put if it is not there, and a version's
manifest, put last, makes the version whole. Only the ledger, on the machine that pays, says which
version is current.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from resources.crash import crash_point
from resources.store.checked_files import CorruptArtifact, hash_file
from resources.store.contents import flush
from resources.store.manifest import MANIFEST, files_in

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AT_ONCE = 8
"""Files on their way at a time."""

IN_ONE_REQUEST = 8 * 2**20
"""Bytes; a larger file is put in parts, which no bucket lets be conditional. Whoever puts it at the
same time puts the same bytes."""

PATIENCE = timedelta(seconds=60)
"""For so long a request is tried again that a server refused for now or cut off."""
SILENCE = timedelta(seconds=60)
"""So long a server may say nothing; how long a whole file takes depends on its size."""
_WHOLE_REQUEST = timedelta(hours=6)


class SharedStoreFailed(OSError):
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
        where : the version's place, see `version_place`.

        Raises
        ------
        SharedStoreFailed
            When it cannot be put; nothing is current that is not there.
        """
        manifest = (folder / MANIFEST).read_bytes()
        files = json.loads(manifest)["files"]
        self._at_once(lambda name: self._keep_file(folder / name, files[name]), files)
        crash_point("after_blobs")
        with self._asked(f"put the manifest of {where}"):
            self._create(_manifest_of(where), manifest)
        crash_point("after_shared")

    def fetch(self, where: str, into: Path, *, wanted: Callable[[str], bool]) -> list[str]:
        """Fetch files of a version, each held against its hash, and its manifest.

        Parameters
        ----------
        into : an empty folder.
        wanted : says of a file's name whether it is to be fetched.

        Returns
        -------
        list of str
            Names of the files that were fetched; the manifest is there besides.

        Raises
        ------
        CorruptArtifact
            When the bucket has no such version, or another than its place says.
        SharedStoreFailed
            When it cannot be read.
        """
        import obstore

        with self._asked(f"read the manifest of {where}"):
            try:
                manifest = bytes(obstore.get(self._bucket, _manifest_of(where)).bytes())
            except FileNotFoundError as error:
                raise CorruptArtifact(
                    f"{where}: missing here and in {self.address}; materialize the asset again"
                ) from error
        files = self._files_of(manifest, where)
        missing = {name: entry for name, entry in files.items() if wanted(name)}
        self._at_once(lambda name: self._fetch_file(into / name, missing[name]), missing)
        (into / MANIFEST).write_bytes(manifest)
        flush(into / MANIFEST)
        return list(missing)

    def __contains__(self, where: str) -> bool:
        """Whether a version is there, whole."""
        with self._asked(f"look for {where}"):
            return self._size(_manifest_of(where)) is not None

    def versions(self) -> dict[str, datetime]:
        """Every version that is there, with the time at which it was put."""
        with self._asked("list the versions"):
            found = [one for many in self._bucket.list("versions") for one in many]
        places = {one["path"].removeprefix("versions/"): one["last_modified"] for one in found}
        return {path.removesuffix(f"/{MANIFEST}"): put for path, put in places.items()}

    def forget(self, versions: Collection[str], *, until: datetime) -> int:
        """Remove versions, and then the blobs that no version names; returns how many blobs.

        Nobody may be publishing: what they find there they do not put again.

        Parameters
        ----------
        until : blobs that were put later stay.
        """
        import obstore

        with self._asked("remove versions"):
            for where in versions:
                obstore.delete(self._bucket, _manifest_of(where))
            named: set[str] = set()
            for where in self.versions():
                manifest = bytes(obstore.get(self._bucket, _manifest_of(where)).bytes())
                files = self._files_of(manifest, where).values()
                named |= {_blob_of(entry["sha256"]) for entry in files}
            unnamed = [
                one["path"]
                for many in self._bucket.list("blobs")
                for one in many
                if one["path"] not in named and one["last_modified"] < until
            ]
            for blob in unnamed:
                obstore.delete(self._bucket, blob)
        return len(unnamed)

    def _files_of(self, manifest: bytes, where: str) -> Mapping[str, Mapping[str, Any]]:
        """What a manifest names, if it is that of the version at its place."""
        try:
            files = files_in(manifest, where.rpartition("/")[2])
        except ValueError:
            files = None
        if files is None or any({"..", "/"} & set(PurePosixPath(name).parts) for name in files):
            raise CorruptArtifact(
                f"{self.address}: the manifest of {where} is not that version's; remove it there"
                " and materialize the asset again"
            )
        return files

    def _keep_file(self, file: Path, entry: Mapping[str, Any]) -> None:
        import obstore

        blob = _blob_of(entry["sha256"])
        with self._asked(f"put {file.name}"):
            there = self._size(blob)
            if there == entry["bytes"]:
                return
            if there is None and entry["bytes"] <= IN_ONE_REQUEST:
                self._create(blob, file.read_bytes())
            else:  # large; or, in a folder after a loss of power, less than it was
                obstore.put(self._bucket, blob, file)
                self._settle(blob)

    def _fetch_file(self, target: Path, entry: Mapping[str, Any]) -> None:
        import obstore

        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._asked(f"read {target.name}"), target.open("wb") as file:
            try:
                for chunk in obstore.get(self._bucket, _blob_of(entry["sha256"])).stream():
                    file.write(chunk)
            except FileNotFoundError as error:
                raise CorruptArtifact(
                    f"{self.address}: has no blob of {target.name}; materialize the asset again"
                ) from error
        if hash_file(target) != entry["sha256"]:
            raise CorruptArtifact(
                f"{self.address}: the blob of {target.name} does not hash to its name; remove it"
                " there and materialize the asset again"
            )
        flush(target)

    def _create(self, key: str, content: bytes) -> None:
        """Put what is named by what it is, unless it is there."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        for _ in range(5):
            try:
                obstore.put(self._bucket, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                # Somebody was faster, with the same; or was removing it, of which S3 says no more.
                if self._size(key) is None:
                    continue
            return self._settle(key)
        raise SharedStoreFailed(f"{self.address}: {key} is put and removed again and again")

    def _settle(self, key: str) -> None:
        """Wait until a file of a folder is on the disk; a bucket has it when it says so."""
        if "://" not in self.address:
            for path in (file := Path(self.address, key), *file.parents):
                flush(path)
                if path == Path(self.address):
                    break

    def _size(self, key: str) -> int | None:
        import obstore

        try:
            return obstore.head(self._bucket, key)["size"]
        except FileNotFoundError:
            return None

    def _at_once(self, call: Callable[[str], None], names: Mapping[str, Any]) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="shared") as pool:
            list(pool.map(call, names))

    @cached_property
    def _bucket(self) -> "ObjectStore":
        from obstore.store import LocalStore, from_url

        if "://" not in self.address:
            return LocalStore(self.address, mkdir=True)
        return from_url(
            self.address,
            client_options={
                "read_timeout": SILENCE,
                "timeout": _WHOLE_REQUEST,
                # Options that are given here take the place of those of the environment.
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1"),
            },
            retry_config={"retry_timeout": PATIENCE},
        )

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """Say of an error of the bucket where it is and what was asked."""
        from obstore.exceptions import BaseError

        try:
            yield
        except SharedStoreFailed:
            raise
        except (BaseError, FileNotFoundError, PermissionError) as error:
            said = str(error).partition("\n")[0] or type(error).__name__
            raise SharedStoreFailed(
                f"{self.address}: could not {what}: {said}; see that the bucket is there and that"
                " the environment says who may use it"
            ) from error


def _manifest_of(where: str) -> str:
    return f"versions/{where}/{MANIFEST}"


def _blob_of(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"
