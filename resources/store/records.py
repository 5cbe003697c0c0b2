"""Which versions were paid for, and what lies with them so that a ledger can be rebuilt?

Each publication leaves a record of what the ledger says of it: below `.records/`, in a folder of
the same path as the version's own, which so keeps the hash of its files as its name. A record is
`<spend>.begun` until the ledger has it, and `<spend>.json` from then on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.store.sealed import write_sealed

RECORDS = ".records"
BEGUN, PUBLISHED = ".begun", ".json"


@dataclass(frozen=True)
class Record:
    """The record of one publication.

    Attributes
    ----------
    folder : twin of the version's folder.
    spend : the ledger's id of what was paid.
    """

    folder: Path
    spend: str

    def begin(self) -> None:
        """Say that a version is on its way, before its files are where readers look."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.file == self._begun:
            self._begun.touch()

    def write(self, values: Mapping[str, Any]) -> None:
        """Keep what the ledger is about to say of it."""
        write_sealed(self._begun, values)

    def end(self) -> None:
        """The ledger has it: from now on somebody has paid for this version."""
        if self._begun.exists():
            self._begun.rename(self.folder / f"{self.spend}{PUBLISHED}")

    def continued_by(self, spend: str) -> "Record":
        """Make this the record of another spend, which pays in place of this one."""
        record = Record(self.folder, spend)
        if self._begun.exists():
            self._begun.rename(record._begun)
        return record

    @property
    def file(self) -> Path:
        """Where it lies now."""
        published = self.folder / f"{self.spend}{PUBLISHED}"
        return published if published.exists() else self._begun

    @property
    def _begun(self) -> Path:
        return self.folder / f"{self.spend}{BEGUN}"


def record_of(root: Path, version: str, spend: str) -> Record:
    """Record of a publication.

    Parameters
    ----------
    root : of the artifacts.
    version : path of its folder below that.
    """
    return Record(root / RECORDS / version, spend)


def list_records(root: Path) -> Iterator[tuple[Path, Record]]:
    """Yield every record with its file, those that were only begun last."""
    for suffix in (PUBLISHED, BEGUN):
        for file in sorted((root / RECORDS).rglob(f"*{suffix}")):
            yield file, Record(file.parent, file.name.removesuffix(suffix))


def was_paid(root: Path, version: str) -> bool:
    """Whether somebody has paid for a version, as far as anybody knows without the ledger.

    Only what was begun and never ended counts as not paid: a version without any record is one
    whose record was lost.
    """
    folder = root / RECORDS / version
    found = [file.suffix for file in folder.iterdir()] if folder.is_dir() else []
    return PUBLISHED in found or BEGUN not in found
