"""Which folders of a store are versions, and where is each?"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from resources.store.manifest import MANIFEST

VERSION = re.compile(r"[0-9a-f]{32}")


def version_folders(root: Path) -> Iterator[Path]:
    """Yield every `<asset>/<partition>/<version>`, however deep its asset's name."""
    for parent, names, _ in os.walk(root):
        folder = Path(parent)
        if folder == root:
            names[:] = [name for name in names if not name.startswith(".")]
        if VERSION.fullmatch(folder.name) and (folder / MANIFEST).is_file():
            names.clear()
            yield folder


def version_place(asset: str, partition: str, version: str) -> str:
    """Where a version lies below the artifacts' own folder, and in a shared store."""
    return f"{asset}/{partition}/{version}"
