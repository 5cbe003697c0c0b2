"""Named points at which a process kills itself, so that tests see what survives a crash."""

import os
import signal
from collections import Counter

VARIABLE = "SELECTION_CRASH_AT"
POINTS = (
    "after_reserve",  # the compute is reserved, nothing of it spent
    "after_stage",  # the files are written, and perhaps not on the disk
    "after_fsync",  # they are on the disk, in a folder that nobody reads
    "after_blobs",  # they are in the shared store too, if there is one, without a manifest
    "after_shared",  # and with it
    "after_rename",  # they lie in their final folder, whose name may not be on the disk
    "before_ledger",  # all of it is on the disk, and the ledger knows nothing
    "after_ledger",  # the ledger's transaction is over, and nobody was told
)
"""In the order in which a costly step passes them."""


_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Die here, as by the kernel's hand, when the environment asks for it; else do nothing.

    `after_rename` asks for the first time that a process passes there, `after_rename:3` for the
    third.
    """
    assert name in POINTS
    wanted, _, time = os.environ.get(VARIABLE, "").partition(":")
    if wanted == name:
        _passed[name] += 1
        if _passed[name] == int(time or 1):
            os.kill(os.getpid(), signal.SIGKILL)
