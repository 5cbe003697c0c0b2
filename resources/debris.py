"""What crashes left in the store that nobody will ever read, and how to remove it.

Nothing that the ledger's `materialization` table names is debris, current or not. All of it is safe
beside a running pipeline: who is at work in a folder holds a lock on it, and a folder between its
rename and its row in the ledger is protected by the publishing lock.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from resources.ledger.ledger import Ledger
from resources.store.artifacts import MANIFEST, STAGE, WORK, ArtifactStore, work_name
from resources.store.held_folder import is_free, try_hold

Kind = Literal["stage", "version", "work"]

VERSION = re.compile(r"[0-9a-f]{32}")

NEVER_PUBLISHED = "nobody is at work in it, and it was never published"


@dataclass(frozen=True)
class Debris:
    """One folder that nobody will read.

    Attributes
    ----------
    kind : `stage`, files never published; `version`, a folder that the ledger does not name;
        `work`, what a killed step would have resumed from.
    path : relative to the store's root.
    bytes : of its files.
    touched : when anything in it last changed.
    reason : why nobody will read it.
    """

    kind: Kind
    path: str
    bytes: int
    touched: datetime
    reason: str

    @property
    def age(self) -> timedelta:
        """Since anything in it last changed."""
        return datetime.now(UTC) - self.touched


def find_debris(ledger: Ledger, *, unfinished_days: float) -> list[Debris]:
    """Find what can be removed; removes nothing.

    Parameters
    ----------
    unfinished_days : work that no step touched for so long is given up.

    Raises
    ------
    resources.store.publishing_lock.StoreBusy
        When publishers leave no moment in which the ledger names all that they renamed.
    """
    store = ledger.store
    # Listed first: what is renamed in after this is none of our business.
    folders = list(_version_folders(store.root))
    with store.nobody_publishing():
        named = _named(ledger)
    work = _work_reasons(ledger, timedelta(days=unfinished_days))
    found: list[tuple[Path, Kind, str]] = [
        *((folder, "stage", NEVER_PUBLISHED) for folder in _unheld(store.root / STAGE)),
        *(
            (folder, "version", "no materialization of the ledger names it")
            for folder in folders
            if _relative(folder, store) not in named
        ),
        *((folder, "work", reason) for folder, reason in work),
    ]
    return [
        Debris(kind, _relative(folder, store), _bytes(folder), _touched(folder), reason)
        for folder, kind, reason in found
    ]


def remove_debris(ledger: Ledger, found: list[Debris]) -> int:
    """Remove what was found, unless somebody has come to need it since; returns how many went.

    Each folder is renamed away first, so that nobody ever sees half of it; a removal that is
    itself killed leaves debris of the kind `stage`.
    """
    store = ledger.store
    away = store.new_stage_folder()
    removed = 0
    with store.nobody_publishing():
        named = _named(ledger)
        for debris in found:
            folder = store.root / debris.path
            # Whoever comes to need a folder of work from now on waits for us, and then makes it.
            hold = try_hold(folder)
            if hold is None:
                continue
            in_ledger = debris.kind == "version" and debris.path in named
            if not in_ledger and _touched(folder) <= debris.touched:
                folder.rename(away.path / str(removed))
                removed += 1
            hold.release()
    away.remove()
    return removed


def _version_folders(root: Path) -> Iterator[Path]:
    """Yield every `<asset>/<partition>/<version>`, however deep its asset's name."""
    for parent, names, _ in os.walk(root):
        folder = Path(parent)
        if folder == root:
            names[:] = [name for name in names if not name.startswith(".")]
        if VERSION.fullmatch(folder.name) and (folder / MANIFEST).is_file():
            names.clear()
            yield folder


def _named(ledger: Ledger) -> set[str]:
    return {row["path"] for row in ledger.query("SELECT DISTINCT path FROM materialization")}


def _work_reasons(ledger: Ledger, given_up_after: timedelta) -> Iterator[tuple[Path, str]]:
    """Work that no step will resume, and why."""
    identities = ledger.current_identities().values()
    done = {work_name(identity.work): identity for identity in identities}
    for folder in _unheld(ledger.artifacts / WORK):
        identity = done.get(folder.name)
        if identity is not None:
            yield folder, f"{identity.asset}[{identity.partition}] is finished"
        elif datetime.now(UTC) - _touched(folder) > given_up_after:
            yield folder, f"no step touched it for {given_up_after / timedelta(days=1):g} days"


def _unheld(folder: Path) -> list[Path]:
    """Folders in a folder in which nobody is at work."""
    if not folder.is_dir():
        return []
    folders = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    return sorted(path for path in folders if is_free(path))


def _relative(folder: Path, store: ArtifactStore) -> str:
    return folder.relative_to(store.root).as_posix()


def _bytes(folder: Path) -> int:
    return sum(status.st_size for status in _walk(folder, files_only=True))


def _touched(folder: Path) -> datetime:
    """When anything in it last changed; now, for one that was published or removed this moment."""
    newest = max((status.st_mtime for status in _walk(folder)), default=None)
    return datetime.now(UTC) if newest is None else datetime.fromtimestamp(newest, UTC)


def _walk(folder: Path, *, files_only: bool = False) -> Iterator[os.stat_result]:
    """Status of everything in a folder, which a living process may change or rename meanwhile."""
    paths = [] if files_only else [folder]
    for parent, names, files in os.walk(folder):  # passes over folders that have gone
        paths += [Path(parent) / name for name in (files if files_only else [*names, *files])]
    for path in paths:
        try:
            yield path.lstat()
        except FileNotFoundError:
            continue
