"""Other processes of the project, for tests of what happens between processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def start(script: str, *arguments: object, **environment: str) -> subprocess.Popen:
    """Run a Python script in a process of its own; its output is read as text."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    """Wait for a process that must succeed; returns what it printed."""
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed


def run(script: str, *arguments: object, **environment: str) -> str:
    """Run a script to its end, successfully."""
    return finish(start(script, *arguments, **environment))


def die(script: str, *arguments: object, **environment: str) -> str:
    """Run a script that is to be killed on its way; returns what it printed before."""
    process = start(script, *arguments, **environment)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == -9, f"not killed but {process.returncode}: {errors}"
    return printed


def wait_until(happened: Callable[[], bool], process: subprocess.Popen) -> None:
    """Poll for something that a living process is to bring about."""
    while not happened():
        if process.poll() is not None:
            _, errors = process.communicate()
            raise AssertionError(f"ended with {process.returncode} before it happened: {errors}")
        time.sleep(0.02)
