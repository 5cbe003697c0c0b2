"""Write a file so that a reader, or a run that begins again, finds it whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write into a temporary file beside it, flush it to the disk, and give it its name."""
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
    with unfinished.open("wb") as content:
        write(content)
        content.flush()
        os.fsync(content.fileno())
    unfinished.replace(file)


def write_bytes_whole(file: Path, content: bytes) -> None:
    """Write these bytes so."""
    write_whole(file, lambda opened: opened.write(content))
