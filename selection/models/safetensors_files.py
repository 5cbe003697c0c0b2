"""Whether a file really is safetensors, and whether a model may be loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path


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
        When config.json or the weights are missing, a weight file is not safetensors, the shard
        index names a file that was not checked, or the folder is a LoRA adapter (its config names
        another base to load).
    """
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is not a model folder: it has no config.json")
    if (folder / "adapter_config.json").exists():
        raise ValueError(
            f"{folder} is a LoRA adapter, which names another model to load: merge it first"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ValueError(
            f"{folder} holds no *.safetensors. Other weight formats (.bin, .pt) are never loaded: "
            "convert the model with save_pretrained first."
        )
    for path in weights:
        check_safetensors(path)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        unchecked = sorted(shards - {path.name for path in weights})
        if unchecked:
            raise ValueError(f"{index} names weight files that the folder lacks: {unchecked}")
