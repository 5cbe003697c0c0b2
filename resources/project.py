"""Where the project and what it writes are."""

import os
from pathlib import Path

ROOT_VARIABLE = "SELECTION_ROOT"


def project_root() -> Path:
    """Folder with `studies/`: `$SELECTION_ROOT`, or the checkout this code lies in."""
    given = os.environ.get(ROOT_VARIABLE)
    return Path(given).resolve() if given else Path(__file__).resolve().parents[1]


def store_root() -> Path:
    """Artifacts, ledger and resumable work: `store/` under the project, private to its owner."""
    root = project_root() / "store"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def project_file() -> Path:
    """Where the project names the folders outside it that it reads, and its engine."""
    return project_root() / "project.yaml"
