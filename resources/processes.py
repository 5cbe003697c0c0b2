"""Whether a process of this machine still runs."""

import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether the number belongs to a process that can still do something.

    A process that was killed keeps its number until its parent asks how it ended: it counts as
    gone. Another process that took the number over counts as alive.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # no such file system here, or it went this moment: rather left alone
    # The state follows the program's name, which may itself hold spaces and brackets.
    return stat.rpartition(")")[2].split()[:1] not in (["Z"], ["X"])
