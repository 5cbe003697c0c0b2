"""Does loading a model's folder read nothing but that folder?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selection.basics.brevity import some_of

ADAPTER = "adapter_config.json"
INDEX = ".index.json"
MODULES = "modules.json"
ROUTES = "router_config.json"
LARGE = ("tokenizer.json", "vocab.json")
"""Tables of tokens, which name no file."""

FOLLOWED = ("tokenizer_name_or_path", "base_model_name_or_path")
NOT_FOLLOWED = ("special_tokens_map_file",)
"""Older libraries wrote where they had found it; none reads it."""


def check_self_contained(folder: Path) -> None:
    """Check that no description in a model's folder names a file or a model that lies elsewhere.

    What lies elsewhere is neither under the project's roots nor in the folder's fingerprint.

    Raises
    ------
    ValueError
        When one does, or when the folder is a LoRA adapter, which names another model to load.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.suffix != ".json":
            continue
        if not path.is_file():
            raise ValueError(f"{path} is no regular file, or a link to none; save the model again")
        if path.name == ADAPTER:
            raise ValueError(
                f"{path.parent} is a LoRA adapter, which names another model to load:"
                " merge it first"
            )
        if path.name in LARGE:
            continue
        try:
            content = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            continue  # no library can follow it either
        outside = sorted(
            name for name in _named(path, content) if not _is_within(name, path.parent)
        )
        if outside:
            raise ValueError(
                f"{path} names what does not lie in {path.parent}: {', '.join(some_of(outside))};"
                " copy it there, or take the name out"
            )


def module_folders(folder: Path) -> list[tuple[str, Path]]:
    """Modules of a sentence-transformers folder, in their order: last name of its type, folder.

    A folder that lists none is one Transformer.
    """
    if not (folder / MODULES).is_file():
        return [("Transformer", folder)]
    try:
        modules = json.loads((folder / MODULES).read_bytes())
        return [(m["type"].rpartition(".")[2], folder / m["path"]) for m in modules]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / MODULES} is no list of modules with `type` and `path`: {error!r}"
        ) from error


def shards_of(index: Any) -> set[str]:
    """Names of the files of weights that an index lists."""
    weights = index.get("weight_map") if isinstance(index, dict) else None
    return set(map(str, weights.values())) if isinstance(weights, dict) else set()


def _named(path: Path, content: Any) -> Iterator[str]:
    """Files, folders and models that a description tells a library to load."""
    if path.name == MODULES and isinstance(content, list):
        yield from (str(one["path"]) for one in content if isinstance(one, dict) and "path" in one)
    elif path.name == ROUTES and isinstance(content, dict):
        yield from map(str, content.get("types", {}))
    elif path.name.endswith(INDEX):
        yield from shards_of(content)
    else:
        yield from _in_fields(content)


def _in_fields(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        for value in content:
            yield from _in_fields(value)
    elif isinstance(content, dict):
        for key, value in content.items():
            names = key in FOLLOWED or (key.endswith("_file") and key not in NOT_FOLLOWED)
            if names and isinstance(value, str):
                yield value
            yield from _in_fields(value)


def _is_within(name: str, folder: Path) -> bool:
    # By the name alone: what the hub's cache holds are links to files elsewhere in the cache.
    found = Path(os.path.normpath(folder / name))
    return found.is_relative_to(os.path.normpath(folder))
