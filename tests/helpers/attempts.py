"""Runs of `selection` in processes of their own: started at once, looked into, killed."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import zygote
from real_processes import Child
from small_project import Project

from resources.processes import is_alive

SELECTION = "from selection_assets.command.start import console; console()"
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


class Zygote:
    """The process that runs are forked from, one at a time."""

    def __init__(self, root: Path) -> None:
        """Start it with what the definitions of a project need, whose studies its runs are of."""
        self._child = Child(
            Path(zygote.__file__).read_text(),
            **{**ONE_THREAD, "SELECTION_ROOT": str(root), "TOKENIZERS_PARALLELISM": "false"},
        )
        assert self._child.next_line() == "ready\n"

    def start(
        self, project: Project, *arguments: str, script: str = SELECTION, **environment: str
    ) -> "Attempt":
        """Fork a run of `selection`, or of another script, in a project."""
        log = project.root / "attempts.log"
        places = {
            "SELECTION_ROOT": str(project.root),
            "DAGSTER_HOME": str(project.root / "dagster_home"),
        }
        file = project.root / f"script_{sha256(script.encode()).hexdigest()[:12]}.py"
        file.write_text(script, encoding="utf-8")
        order = {
            "script": str(file),
            "arguments": list(arguments),
            "environment": places | environment,
            "log": str(log),
        }
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return Attempt(int(self._child.next_line()), self._child, log, project)

    def close(self) -> None:
        """End it; it runs nothing now."""
        self._child.end()


@dataclass
class Attempt:
    """One run, which is waited for exactly once."""

    pid: int
    zygote: Child
    log: Path
    project: Project

    def wait(self) -> int:
        """How it ended: an exit code, or minus the signal that killed it."""
        return int(self.zygote.next_line())

    def finish(self) -> None:
        """Wait for it to end well."""
        code = self.wait()
        assert code == 0, f"ended with {code}:\n{self.log.read_text()[-3000:]}"

    def die(self) -> None:
        """Wait for it to kill itself at its crash point."""
        code = self.wait()
        assert code == -signal.SIGKILL, f"ended with {code}:\n{self.log.read_text()[-3000:]}"

    def kill(self) -> None:
        """Kill it as the kernel does, unless it has ended by now."""
        os.kill(self.pid, signal.SIGKILL)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return is_alive(self.pid)

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """Stop it while we look, and let it go on."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            patient_until = time.monotonic() + 1
            while _state(self.pid) not in "tTZX" and time.monotonic() < patient_until:
                time.sleep(0.0002)
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def doing(self) -> set[str]:
        """What it is in the middle of, by the locks that it holds; hold it still before."""
        root = self.project.root
        store = root / "store"
        ledger = {_inode(store / name) for name in ("ledger.duckdb", "ledger.duckdb.lock")}
        publishing = {_inode(store / "artifacts/.publishing.lock")}
        dagster = {_inode(path) for path in (root / "dagster_home").glob("**/*.db*")}
        locked = _locked_for_writing(self.pid)
        shared = _locked(self.pid, "READ")
        names = {
            "in a ledger transaction": locked & ledger,
            "between rename and ledger row": shared & publishing,
            "in a write of Dagster's SQLite": locked & dagster,
            "with files staged": set((store / "artifacts/.stage").glob(f"{self.pid}-*")),
            "with work to resume": set((store / "artifacts/.work").glob("*/*")),
        }
        return {name for name, found in names.items() if found}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _locked_for_writing(pid: int) -> set[int]:
    return _locked(pid, "WRITE")


def _locked(pid: int, kind: str) -> set[int]:
    """Inodes of the files on which a process holds a lock of this kind."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {
        int(line[5].rpartition(":")[2])
        for line in lines
        if line[1] != "->" and line[3] == kind and line[4] == str(pid)
    }


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1
