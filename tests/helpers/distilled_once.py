"""MiniLM distilled once for all tests of a run, and copied where a study would distil it again.

Nothing of it depends on the study but its width, and its forwards over the vocabulary take half a
minute. Whoever needs it first does what the pipeline does; the processes that tests start find it
by the environment.
"""

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from selection.embedding import build

_FOLDER = "TESTS_DISTILLED"
_is_mine = _FOLDER not in os.environ
_kept = Path(os.environ.setdefault(_FOLDER, tempfile.mkdtemp() if _is_mine else ""))
_distil = build._distil


def _distil_once(folder: Path, *, width: int, device: str) -> None:
    kept = _kept / f"{width}-{device}"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            made = Path(tempfile.mkdtemp(dir=_kept))
            _distil(made, width=width, device=device)
            made.rename(kept)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


build._distil = _distil_once


def pytest_unconfigure() -> None:
    """Remove it, where it was begun."""
    if _is_mine:
        shutil.rmtree(_kept)
