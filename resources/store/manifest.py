"""What does a version of an artifact consist of, by its own account?"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.store.checked_files import CorruptArtifact

MANIFEST = "manifest.json"


def read_manifest(folder: Path, asset: str) -> dict[str, dict[str, Any]]:
    """Read the files of a version, each with its `bytes` and `sha256`.

    Parameters
    ----------
    asset : to be named where it must be made again.

    Raises
    ------
    CorruptArtifact
        When the manifest is missing, damaged or another version's.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise CorruptArtifact(f"{manifest}: missing; materialize {asset} again")
    try:
        return files_in(manifest.read_bytes(), folder.name)
    except ValueError as error:
        raise CorruptArtifact(f"{manifest}: {error}") from error


def files_in(manifest: bytes, folder: str) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of the files of a version.

    Parameters
    ----------
    folder : name of the version's folder.

    Raises
    ------
    ValueError
        When it is damaged, or another version's.
    """
    try:
        files = json.loads(manifest.decode())["files"]
        version = version_of(files)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"unreadable: {error}") from error
    # The folder is named after its content, so a changed manifest gives itself away.
    if version != folder:
        raise ValueError("does not hash to the folder's name")
    return files


def version_of(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of what a manifest says of its files."""
    lines = [
        f"{name} {entry['bytes']} {entry['sha256']}" for name, entry in sorted(entries.items())
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
