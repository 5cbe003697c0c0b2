"""Whether a file really is safetensors, and whether a model may be loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path

from selection.models.library_errors import named_after
from selection.models.self_contained import INDEX, check_self_contained, shards_of


def check_safetensors(path: Path) -> None:
    """Check a file by its content, not by its name: header, tensor table, data to the end.

    Raises
    ------
    ValueError
        Naming the file and what is wrong (another format, truncated, bytes after the data).
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            pass
    except SafetensorError as error:
        raise ValueError(f"{path} is not safetensors, or is damaged: {error}") from error


def check_model_folder(folder: Path) -> None:
    """Check that a local folder holds a whole model in safetensors and nothing that redirects.

    Raises
    ------
    ValueError
        When config.json or the weights are missing, a weight file is not safetensors, or something
        leads out of the folder (`check_self_contained`).
    """
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is not a model folder: it has no config.json")
    check_self_contained(folder)
    check_weights(folder)


def check_weights(folder: Path) -> None:
    """Check that a folder holds weights, and all of them in safetensors.

    Raises
    ------
    ValueError
        When it holds none, a file is not what its name says, or the index lists others.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ValueError(
            f"{folder} holds no *.safetensors. Other weight formats (.bin, .pt) are never loaded: "
            "convert the model with save_pretrained first."
        )
    for path in weights:
        check_safetensors(path)
    for index in folder.glob(f"*{INDEX}"):
        with named_after(folder):
            shards = shards_of(json.loads(index.read_bytes()))
        if unchecked := sorted(shards - {path.name for path in weights}):
            raise ValueError(f"{index} names weight files that the folder lacks: {unchecked}")
