"""Keeps what a publisher has renamed from being cleared away before the ledger names it.

Publishers share the lock from the rename to the ledger's commit; who clears away holds it alone.
The kernel frees it when its holder dies. It is always taken before the ledger's own lock.
"""

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT = 60.0
"""Seconds: a publisher holds the lock for one rename and one transaction."""


class StoreBusy(RuntimeError):
    """Publishers and `selection gc` keep each other out longer than either should."""


@contextmanager
def locked(path: Path, *, alone: bool, timeout: float = TIMEOUT) -> Iterator[None]:
    """Hold the lock together with other publishers, or alone, while nobody publishes.

    Raises
    ------
    StoreBusy
        When it was not to be had before the timeout.
    """
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        patient_until = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > patient_until:
                    raise StoreBusy(
                        f"{path} stayed locked for {timeout:.0f} s; find the process that holds it"
                        f" (for example with `lsof`), wait for it or stop it, and try again"
                    ) from error
            time.sleep(random.uniform(0.002, 0.01))
        yield
    finally:
        os.close(descriptor)  # which unlocks
