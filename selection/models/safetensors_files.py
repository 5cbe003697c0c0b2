"""Whether a file really is safetensors, and whether a model may be loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path

_LENGTH_BYTES = 8
_LARGEST_HEADER = 100_000_000  # the limit of the safetensors library itself


def check_safetensors(path: Path) -> None:
    """Check a file by its header, not by its name: little-endian length, JSON, data to the end.

    Raises
    ------
    ValueError
        Naming the file and what is wrong (another format, truncated, bytes after the data).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        room = size - _LENGTH_BYTES
        if not 2 <= header_size <= min(room, _LARGEST_HEADER):
            raise ValueError(f"{path} is not safetensors: its header length is impossible")
        raw = file.read(header_size)
    try:
        header = json.loads(raw)
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        data_size = max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not safetensors: its header is not a tensor table") from error
    if data_size != room - header_size:
        raise ValueError(
            f"{path} is damaged: its header promises {data_size} bytes of tensors, "
            f"the file holds {room - header_size}. Copy it again."
        )


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
