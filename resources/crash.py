"""Named points at which a process kills itself, so that tests see what survives a crash."""

import os
import signal

VARIABLE = "SELECTION_CRASH_AT"
POINTS = ("after_stage", "after_rename", "before_ledger", "after_ledger")


def crash_point(name: str) -> None:
    """Die here, as by the kernel's hand, when the environment asks for it; else do nothing."""
    assert name in POINTS
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
