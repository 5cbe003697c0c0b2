"""Other processes of the project, for tests of what happens between processes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from places import HELPERS, REPOSITORY

PATIENCE = 300  # seconds after which a process that should have ended is a failure


class Child(subprocess.Popen):
    """A process; its errors go to a file, because a full pipe that nobody reads would block it."""

    def __init__(self, script: str, *arguments: object, **environment: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        super().__init__(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": HELPERS} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def end(self, expected: int = 0) -> str:
        """Wait until it has ended in the expected way; returns what it printed."""
        printed, _ = self.communicate(timeout=PATIENCE)
        assert self.returncode == expected, f"ended with {self.returncode}: {self.error_text()}"
        self._errors.close()
        return printed

    def shoot(self) -> str:
        """Kill it as the kernel does; returns what it printed before."""
        self.kill()
        return self.end(-signal.SIGKILL)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Poll for something that it is to bring about while it lives."""
        while not happened():
            assert self.poll() is None, f"ended before it happened: {self.error_text()}"
            time.sleep(0.02)

    def next_line(self) -> str:
        """Wait for its next line."""
        assert self.stdout is not None
        # Byte by byte: what a buffer had read ahead, `communicate` would not find any more.
        line = b""
        while not line.endswith(b"\n") and (byte := os.read(self.stdout.fileno(), 1)):
            line += byte
        assert line, f"ended before it printed: {self.error_text()}"
        return line.decode()

    def error_text(self) -> str:
        """Everything that it wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read()


def run(script: str, *arguments: object, **environment: str) -> str:
    """Run a script to its end, successfully."""
    return Child(script, *arguments, **environment).end()


def die(script: str, *arguments: object, **environment: str) -> str:
    """Run a script that is to kill itself on its way; returns what it printed before."""
    return Child(script, *arguments, **environment).end(-signal.SIGKILL)
