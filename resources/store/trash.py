"""What is to be removed is moved aside first, and can be put back until it is deleted.

Each removal has a folder of its own, named after the time, in which everything keeps the path that
it had in the store, a version's records too: copied over the store, it is as before.
"""

import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from resources.store.held_folder import HeldFolder, make_and_hold
from resources.store.records import RECORDS, was_paid
from resources.store.version_folders import version_folders

TRASH = ".trash"
"""In the artifacts' folder."""


def new_trash(root: Path) -> HeldFolder:
    """Make the folder of one removal: once nobody holds it, that removal was killed."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    while True:
        folder = root / TRASH / f"{now}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        if hold := make_and_hold(folder):
            return HeldFolder(folder, hold)


def move_aside(root: Path, path: str, away: Path) -> None:
    """Move a folder of the store, and the records of a version with it.

    Parameters
    ----------
    path : relative to the store's root.
    away : the removal's folder.
    """
    for moved in (path, f"{RECORDS}/{path}"):
        if (root / moved).is_dir():
            target = away / moved
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (root / moved).rename(target)


def paid_versions(trash: Path) -> int:
    """How many versions in the folder of a removal somebody has paid for."""
    folders = (folder.relative_to(trash).as_posix() for folder in version_folders(trash))
    return sum(was_paid(trash, folder) for folder in folders)


def delete(folder: Path) -> None:
    """Delete what was moved aside, whoever else may be at it."""
    shutil.rmtree(folder, onerror=_unless_gone)


def _unless_gone(
    function: object, path: str, error: tuple[type[BaseException], BaseException, TracebackType]
) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
