import hashlib
import os
from pathlib import Path

import pytest

from resources.store import checked_files
from resources.store.checked_files import CorruptArtifact, check_file

CONTENT = b"what was published"


@pytest.fixture
def file(tmp_path):
    """A published file."""
    path = tmp_path / "rows.parquet"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def entry():
    """What the manifest says of it."""
    return {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def hashed(monkeypatch):
    """Files that have been hashed, in order."""
    found: list[Path] = []
    hash_file = checked_files.hash_file

    def noted(path: Path) -> str:
        found.append(path)
        return hash_file(path)

    monkeypatch.setattr(checked_files, "hash_file", noted)
    return found


def settle(monkeypatch, file):
    """Take a new file for an old one, once the clock of its file system has gone on."""
    monkeypatch.setattr(checked_files, "_SETTLED_NS", -1)
    other = file.with_name("clock")
    other.touch()
    while other.stat().st_ctime_ns <= file.stat().st_ctime_ns:
        os.utime(other)


def test_a_file_that_nobody_touches_is_hashed_once(file, entry, hashed, monkeypatch):
    settle(monkeypatch, file)
    for _ in range(3):
        check_file(file, entry, full=False)
    assert hashed == [file]


def test_verify_hashes_whatever_is_known(file, entry, hashed, monkeypatch):
    settle(monkeypatch, file)
    for _ in range(3):
        check_file(file, entry, full=True)
    assert len(hashed) == 3


def test_a_file_just_written_is_hashed_each_time_for_it_could_change_within_a_tick(
    file, entry, hashed
):
    for _ in range(3):
        check_file(file, entry, full=False)
    assert len(hashed) == 3


def test_a_change_in_place_is_seen_also_where_size_and_time_are_set_back(
    file, entry, hashed, monkeypatch
):
    settle(monkeypatch, file)
    check_file(file, entry, full=False)
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"W")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(CorruptArtifact, match="does not hash"):
        check_file(file, entry, full=False)


def test_another_file_of_its_name_is_seen(file, entry, monkeypatch):
    settle(monkeypatch, file)
    check_file(file, entry, full=False)
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(CONTENT[::-1])
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    with pytest.raises(CorruptArtifact, match="does not hash"):
        check_file(file, entry, full=False)


def test_what_is_asked_of_it_counts_too(file, entry, monkeypatch):
    settle(monkeypatch, file)
    check_file(file, entry, full=False)
    with pytest.raises(CorruptArtifact, match="does not hash"):
        check_file(file, entry | {"sha256": "0" * 64}, full=False)
