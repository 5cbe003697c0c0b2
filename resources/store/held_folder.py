"""Is somebody at work in a folder? A lock on it says so, which the kernel frees when they die.

The lock is on the folder itself. It survives the folder's new name and is seen from every process
namespace, which a process number is not.
"""

import fcntl
import os
import shutil
import time
import uuid
import weakref
from dataclasses import dataclass
from pathlib import Path

STAGE = ".stage"
"""Folder of a store for files on their way in."""

PATIENCE = 0.5
"""Seconds in which somebody who only looks, or removes what nobody holds, lets go again."""


class Hold:
    """A lock on a folder. It is let go when it is released, forgotten, or its process dies.

    A forked child has no part in it: the lock of a dead process would outlive it in its children.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        _HOLDS.add(self)

    def release(self) -> None:
        """Let go; nothing happens when that is done."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    __del__ = release


_HOLDS: weakref.WeakSet[Hold] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Closing a copy of the descriptor leaves the lock to the parent.
    for hold in list(_HOLDS):
        hold.release()


os.register_at_fork(after_in_child=_forget_in_child)


def try_hold(folder: Path) -> Hold | None:
    """Hold a folder at once; None where somebody else does, or it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    hold = Hold(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have renamed it away before it let go.
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return hold
    except (BlockingIOError, FileNotFoundError):
        pass
    hold.release()
    return None


def is_free(folder: Path) -> bool:
    """Whether a folder is there, and nobody holds it."""
    hold = try_hold(folder)
    if hold is not None:
        hold.release()
    return hold is not None


def make_and_hold(folder: Path) -> Hold | None:
    """Hold a folder, which is made where it is not there; None where somebody else does."""
    patient_until = time.monotonic() + PATIENCE
    while time.monotonic() < patient_until:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hold = try_hold(folder)
        if hold is not None:
            return hold
        time.sleep(0.005)
    return None


@dataclass(frozen=True)
class HeldFolder:
    """A folder in which this process is at work.

    Attributes
    ----------
    path : the folder.
    hold : on it.
    """

    path: Path
    hold: Hold

    def remove(self) -> None:
        """Remove it, and let go."""
        shutil.rmtree(self.path)
        self.hold.release()


def stage_folder(root: Path) -> HeldFolder:
    """Make a private folder in a store: once nobody holds it, its purpose is gone.

    Its name says to people which process made it.
    """
    while True:
        folder = root / STAGE / f"{os.getpid()}-{uuid.uuid4().hex}"
        if hold := make_and_hold(folder):
            return HeldFolder(folder, hold)
