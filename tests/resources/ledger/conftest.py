"""A ledger to tamper with."""

import shutil
from pathlib import Path

import pytest
from tampering import write_every_entry


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with every kind of entry and every state of a spend; to be copied."""
    return write_every_entry(tmp_path_factory.mktemp("original"))


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(original, tmp_path / "copy"))
