"""A training, written down: what a process that is to do it, or its part of it, must know."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.models.recipe import Recipe

if TYPE_CHECKING:
    import torch

MODEL, WEIGHTS = "model", "weights.safetensors"
RESULT, ERROR = "result.json", "error.txt"
"""Files beside a job: the model before it, its weights after it, and what else came of it."""

MEETING, METER = "SELECTION_MEETING", "SELECTION_METER"
"""Variables that say where the processes of a job find each other, and who counts."""

Batch = list[tuple[np.ndarray, np.ndarray]]
"""Rows of one step: ids and labels of each, int32; labels are -100 where nothing is predicted."""


class NonFiniteLoss(ValueError):
    """The loss became NaN or infinite; no checkpoint was written since."""


@dataclass(frozen=True)
class TrainingJob:
    """All of a training but its model.

    Attributes
    ----------
    batches : of each step, in their order.
    places : of each row's tokens, where rows share a sequence that they are not to see each other
        in; else None.
    step_flops : float64 of shape (steps,), what each step costs.
    recipe : how to train.
    pad_id : fills short rows.
    fingerprint : written into each checkpoint's marker.
    work_dir : of its checkpoints.
    checkpoint : to go on from, if there is one.
    device : "cpu" or "cuda".
    save_steps : steps from one checkpoint to the next; None for none.
    sharded : whether each of several GPUs holds a part of the model only (FSDP).
    """

    batches: list[Batch]
    places: list[list[np.ndarray]] | None
    step_flops: np.ndarray
    recipe: Recipe
    pad_id: int
    fingerprint: str
    work_dir: Path
    checkpoint: Path | None
    device: str
    save_steps: int | None
    sharded: bool = False

    def write(self, folder: Path) -> None:
        """Write it into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for batch in self.batches for row in batch]
        arrays: dict[str, Any] = {
            "n_rows": np.array([len(batch) for batch in self.batches]),
            "widths": np.array([len(ids) for ids, _ in rows]),
            "ids": np.concatenate([ids for ids, _ in rows]),
            "labels": np.concatenate([labels for _, labels in rows]),
            "step_flops": self.step_flops,
        }
        if self.places is not None:
            arrays["places"] = np.concatenate([row for batch in self.places for row in batch])
        np.savez(folder / "rows.npz", **arrays)
        said = {
            "recipe": dataclasses.asdict(self.recipe),
            "pad_id": self.pad_id,
            "fingerprint": self.fingerprint,
            "work_dir": str(self.work_dir),
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "device": self.device,
            "save_steps": self.save_steps,
            "sharded": self.sharded,
        }
        (folder / "job.json").write_text(json.dumps(said), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> TrainingJob:
        """Read what `write` has written."""
        said: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        with np.load(folder / "rows.npz") as arrays:
            ends = np.cumsum(arrays["widths"])[:-1]
            steps = np.cumsum(arrays["n_rows"])[:-1]
            ids, labels = (np.split(arrays[name], ends) for name in ("ids", "labels"))
            rows = list(zip(ids, labels, strict=True))
            places = np.split(arrays["places"], ends) if "places" in arrays else None
            step_flops = arrays["step_flops"]
        return cls(
            batches=_cut(rows, steps),
            places=None if places is None else _cut(places, steps),
            step_flops=step_flops,
            recipe=Recipe(**said["recipe"]),
            pad_id=said["pad_id"],
            fingerprint=said["fingerprint"],
            work_dir=Path(said["work_dir"]),
            checkpoint=None if said["checkpoint"] is None else Path(said["checkpoint"]),
            device=said["device"],
            save_steps=said["save_steps"],
            sharded=said["sharded"],
        )


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes
    ----------
    losses : step from 1 and its loss, of every step taken, those before the checkpoint included.
    stopped_before : number from 0 of the step that the meter did not afford; None at the end.
    state : the model's weights by name, where they are to be taken over; None where they have been
        trained in place, and of a training that was stopped.
    """

    losses: list[tuple[int, float]]
    stopped_before: int | None
    state: dict[str, torch.Tensor] | None = None


def _cut(rows: list[Any], ends: np.ndarray) -> list[list[Any]]:
    starts = [0, *ends.tolist()]
    return [rows[start:end] for start, end in zip(starts, [*ends.tolist(), len(rows)], strict=True)]
