"""Whether a process still runs, which is told from any other by more than its number.

A process number is given again once its process is gone, and means another process in another
container. So a process is known by its machine as well, since when that runs, and by its own start.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process, as it is told from all others.

    Attributes
    ----------
    host : boot and namespaces in which `pid` is a number and `started` a time; empty where the
        system does not say: nobody there can be asked.
    pid : its number.
    started : clock ticks between the boot and its start; 0 where the system does not say.
    """

    host: str
    pid: int
    started: int

    @property
    def is_here(self) -> bool:
        """Whether this process, asking, could see it."""
        return is_this_host(self.host)

    @property
    def lives_here(self) -> bool:
        """Whether it runs, or is stopped and may go on, where we can see it."""
        return self.is_here and is_alive(self.pid, self.started)


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    host = _host(pid)
    return Process(host, pid, started_at(pid) or 0 if host else 0)


def is_this_host(host: str) -> bool:
    """Whether process numbers of a host are ours; False where the system does not say."""
    return host != "" and host == _host(os.getpid())


def started_at(pid: int) -> int | None:
    """Clock ticks between the boot and a process's start; None where the system does not say."""
    fields = _stat(pid)
    return int(fields[19]) if fields is not None else None


def is_alive(pid: int, started: int | None = None) -> bool:
    """Whether the number belongs to a process that can still do something.

    A process that was killed keeps its number until its parent asks how it ended: it counts as
    gone.

    Parameters
    ----------
    started : as `started_at` gave it once: another process that took the number over is then told
        from it. Without it that one counts as the process.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    fields = _stat(pid)
    if fields is None:
        return True  # no such file system here, or it went this moment: rather left alone
    return fields[0] not in ("Z", "X") and started in (None, int(fields[19]))


def _stat(pid: int) -> list[str] | None:
    """What the kernel says of a process, from its state on."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name comes before, and may itself hold spaces and brackets.
    return stat.rpartition(")")[2].split()


@cache
def _host(pid: int) -> str:
    """Where this process, whose number it is given, lives."""
    try:
        if str(Path("/proc/self").readlink()) != str(pid):
            return ""  # `/proc` is of another namespace: its numbers are not ours
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Of the clock as well: a process's start is told by that of who asks.
        spaces = [Path(f"/proc/self/ns/{name}") for name in ("pid", "time")]
        return " ".join([boot, *(str(space.readlink()) for space in spaces if space.is_symlink())])
    except OSError:
        return ""
