"""What crashes left in the store that nobody will ever read, and how to remove it.

Nothing that the ledger's `materialization` table names is debris, current or not. All of it is safe
beside a running pipeline: who is at work in a folder holds a lock on it, and a folder between its
rename and its row in the ledger is protected by the publishing lock.

A version that somebody has paid for is no debris either, though the ledger does not name it: it is
listed, and goes only when the number of such versions is confirmed. What goes is moved aside first,
all of it, into a folder of `.trash/` that is named after the time and laid out as the store is.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from resources.ledger.ledger import Ledger
from resources.store.artifacts import WORK, ArtifactStore, work_name
from resources.store.held_folder import STAGE, is_free, try_hold
from resources.store.records import was_paid
from resources.store.trash import TRASH, delete, move_aside, new_trash, paid_versions
from resources.store.version_folders import version_folders

Kind = Literal["stage", "version", "work", "paid", "trash"]


NEVER_PUBLISHED = "nobody is at work in it, and it was never published"


@dataclass(frozen=True)
class Debris:
    """One folder that nobody will read.

    Attributes
    ----------
    kind : `stage`, files never published; `version`, a folder that the ledger does not name;
        `work`, what a killed step would have resumed from; `paid`, a version that was published
        and that the ledger does not name; `trash`, what a killed removal has left.
    path : relative to the store's root.
    bytes : of its files.
    touched : when anything in it last changed.
    reason : why nobody will read it.
    paid : how many versions it holds that somebody has paid for.
    """

    kind: Kind
    path: str
    bytes: int
    touched: datetime
    reason: str
    paid: int = 0

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
    folders = list(version_folders(store.root))
    with store.nobody_publishing():
        named = named_versions(ledger)
        unnamed = [folder for folder in folders if _relative(folder, store) not in named]
        paid = {folder for folder in unnamed if was_paid(store.root, _relative(folder, store))}
    work = _work_reasons(ledger, timedelta(days=unfinished_days))
    found: list[tuple[Path, Kind, str]] = [
        *((folder, "stage", NEVER_PUBLISHED) for folder in _unheld(store.root / STAGE)),
        *(
            (folder, "paid", "it was published, and the ledger does not name it")
            if folder in paid
            else (folder, "version", "no materialization of the ledger names it")
            for folder in unnamed
        ),
        *((folder, "work", reason) for folder, reason in work),
        *((folder, "trash", "a removal was killed") for folder in _unheld(store.root / TRASH)),
    ]
    holds = {"paid": lambda _: 1, "trash": paid_versions}
    return [
        Debris(
            kind,
            _relative(folder, store),
            _bytes(folder),
            _touched(folder),
            reason,
            holds.get(kind, lambda _: 0)(folder),
        )
        for folder, kind, reason in found
    ]


def remove_debris(ledger: Ledger, found: list[Debris], *, confirmed: int = 0) -> int:
    """Remove what was found, unless somebody has come to need it since; returns how many went.

    All of it is moved aside before anything is deleted, so that nobody ever sees half of it; a
    removal that is itself killed leaves debris of the kind `trash`, whole or in part.

    Parameters
    ----------
    confirmed : how many paid versions are to go with it; without that number they stay.

    Raises
    ------
    ValueError
        When the number is not that of the paid versions found; then nothing goes.
    """
    store = ledger.store
    paid = sum(debris.paid for debris in found)
    if confirmed not in (0, paid):
        raise ValueError(f"paid versions: {paid} are there, not {confirmed}; nothing was removed")
    away = new_trash(store.root)
    removed = 0
    with store.nobody_publishing():
        named = named_versions(ledger)
        for debris in found:
            folder = store.root / debris.path
            # Whoever comes to need a folder of work from now on waits for us, and then makes it.
            hold = try_hold(folder)
            if hold is None:
                continue
            if _is_still(debris, folder, named, store) and (confirmed or not debris.paid):
                move_aside(store.root, debris.path, away.path)
                removed += 1
            hold.release()
    try:
        delete(away.path)
    finally:
        away.hold.release()  # what an interrupted removal has left is debris at once
    return removed


def _is_still(debris: Debris, folder: Path, named: set[str], store: ArtifactStore) -> bool:
    """Whether what was found to be debris is so now, as the ledger and the records have it."""
    if debris.kind in ("version", "paid") and debris.path in named:
        return False
    if debris.kind == "version" and was_paid(store.root, debris.path):
        return False
    return _touched(folder) <= debris.touched


def named_versions(ledger: Ledger) -> set[str]:
    """Places of all versions that a ledger names, current or not."""
    return {row["path"] for row in ledger.query("SELECT DISTINCT path FROM materialization")}


def _work_reasons(ledger: Ledger, given_up_after: timedelta) -> Iterator[tuple[Path, str]]:
    """Work that no step will resume, and why."""
    identities = ledger.current_identities().values()
    done = {work_name(identity.work): identity for identity in identities}
    for folder in _unheld(ledger.artifacts / WORK):
        identity = done.get(folder.name.partition("-")[0])
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
