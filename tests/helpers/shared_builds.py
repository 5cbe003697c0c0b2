"""What several tests read and nobody changes is built once, however many processes run tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """Give a folder that the first worker to ask for it fills; the others wait, and read.

    Parameters
    ----------
    name : of the folder, one for each thing built.
    build : makes and fills the folder at the path that it is given.
    """
    base = factory.getbasetemp()
    if base.name.startswith("popen-"):
        base = base.parent  # each worker has a folder of its own in it
    folder, built = base / name, base / f"{name}.built"
    with FileLock(base / f"{name}.lock"):
        if not built.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            build(folder)
            built.touch()
    return folder
