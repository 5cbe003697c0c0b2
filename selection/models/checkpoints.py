"""Which training checkpoint a restarted run may continue from.

One that was written to its end and belongs to the same run. The Trainer writes a checkpoint file by
file, so a kill can leave half of one; a marker written last, with every file's size, tells. The
run's fingerprint (weights, data and recipe) keeps another run's checkpoint from being picked up.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

MARKER = "complete.json"


def weights_digest(model: torch.nn.Module) -> str:
    """Blake2b of every parameter's and buffer's name, type, shape and bytes (hexadecimal)."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        contiguous = tensor.detach().cpu().contiguous()
        digest.update(contiguous.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def rows_digest(rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> str:
    """Blake2b of (ids, labels) rows in order (hexadecimal)."""
    digest = hashlib.blake2b(digest_size=16)
    for ids, labels in rows:
        digest.update(len(ids).to_bytes(8, "little"))
        digest.update(np.asarray(ids, dtype=np.int32).tobytes())
        digest.update(np.asarray(labels, dtype=np.int32).tobytes())
    return digest.hexdigest()


def mark_complete(folder: Path, fingerprint: str) -> None:
    """Declare a checkpoint finished (whole or not at all), then remove the older ones."""
    staged = folder / f"{MARKER}.staged"
    record = {"fingerprint": fingerprint, "files": _sizes(folder)}
    staged.write_text(json.dumps(record), encoding="utf-8")
    staged.replace(folder / MARKER)
    for other in folder.parent.glob("checkpoint-*"):
        if step_of(other) < step_of(folder):
            shutil.rmtree(other)


def last_complete(work_dir: Path, fingerprint: str) -> Path | None:
    """Newest whole checkpoint of this run, or None.

    Raises
    ------
    ValueError
        When `work_dir` holds whole checkpoints of another run.
    """
    whole: dict[int, Path] = {}
    for marker in work_dir.glob(f"checkpoint-*/{MARKER}"):
        record = json.loads(marker.read_text(encoding="utf-8"))
        if record["fingerprint"] != fingerprint:
            raise ValueError(
                f"{marker.parent} belongs to another run (different weights, data or recipe): "
                "give each run its own work_dir, or empty this one"
            )
        if _sizes(marker.parent) == record["files"]:
            whole[step_of(marker.parent)] = marker.parent
    return whole[max(whole)] if whole else None


def step_of(folder: Path) -> int:
    """Steps that were taken before a checkpoint, by its name."""
    return int(folder.name.removeprefix("checkpoint-"))


def _sizes(folder: Path) -> dict[str, int]:
    own = {MARKER, f"{MARKER}.staged"}
    return {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.name not in own}
