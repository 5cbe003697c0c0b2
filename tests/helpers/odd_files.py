"""A drop folder with one of every kind of thing that people, programs and accidents leave there."""

import bz2
import gzip
import json
import lzma
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

ROW = json.dumps({"text": "What there is to say about this file."}).encode()
LINE = ROW + b"\n"

READ = {
    "a b.jsonl": "a%20b",
    "caf\u00e9.jsonl": "caf%C3%A9",
    "-rf.jsonl": "%2Drf",
    "n" * 200 + ".jsonl": "n" * 200,
    os.fsdecode(b"\xff\xfe.jsonl"): "%FF%FE",
    "bell\a\nline.jsonl": "bell%07%0Aline",
    "a...b.jsonl": "a",
    "all.jsonl": "%61ll",
    "Upper.JSONL": "Upper",
    "new.ndjson": "new",
    "array.json": "array",
    "lines.json": "lines",
    "cells.csv.gz": "cells",
    "tabs.tsv": "tabs",
    "block.jsonl.bz2": "block",
    "dictionary.Json.xz": "dictionary",
    "frames.txt.ZST": "frames",
    "folder of files": "folder%20of%20files",
}
"""Name to the partition that is read from it."""

NOT_READ = {
    "two.en.jsonl": "two sources are named 'two': two.en.jsonl, two.fr.jsonl; rename one",
    "two.fr.jsonl": "two sources are named 'two'",
    "empty.jsonl": "it is empty",
    "nothing inside": "a folder without a file that is read",
    "deep": "it nests folders more than 64 deep",
    "long": "it cannot be looked at: File name too long",
    "dangling.jsonl": "a link to nothing",
    "loop.jsonl": "Too many levels of symbolic links",
    "leaves.jsonl": "a link that leaves the folder",
    "folder_leaves": "a link that leaves the folder",
    "device.jsonl": "a link that leaves the folder",
    "self.jsonl": "a link that leaves the folder",
    "pipe.jsonl": "no regular file",
    "socket.jsonl": "no regular file",
    "\u00e9" * 120 + ".jsonl": "the name takes 720 bytes",
    "notes.docx": "its ending is of no format that is read",
    "backup.zip": "its ending is of no format that is read",
    "noending": "its ending is of no format that is read",
}
"""Name to a part of what is said of it."""

UNREADABLE = "not JSON at all\n" * 3
"""Content of a file that can be opened, and of which nothing can be used."""


def write_read(folder: Path) -> None:
    """Write the files that are read, a usable row each."""
    content = {
        "array.json": b" [" + ROW + b",\n" + ROW + b"]",
        "cells.csv.gz": gzip.compress(b'text\n"A cell, of a table."\n'),
        "tabs.tsv": b"text\tother\nA cell of a table.\t1\n",
        "block.jsonl.bz2": bz2.compress(LINE),
        "dictionary.Json.xz": lzma.compress(b"[" + ROW + b"]"),
        "frames.txt.ZST": zstandard.compress(b"A paragraph of a text.\n"),
    }
    for name in READ:
        if name != "folder of files":
            (folder / name).write_bytes(content.get(name, LINE))
    (folder / "folder of files").mkdir()
    (folder / "folder of files/part.jsonl").write_bytes(LINE)
    (folder / "folder of files/_SUCCESS").touch()


@contextmanager
def not_read(folder: Path) -> Iterator[None]:
    """Write everything that cannot be read; what pytest could not remove is gone afterwards."""
    outside = folder.parent / "outside"
    outside.mkdir()
    for name in ("two.en.jsonl", "two.fr.jsonl", "\u00e9" * 120 + ".jsonl"):
        (folder / name).write_bytes(LINE)
    for name in ("notes.docx", "backup.zip", "noending", ".hidden", "_SUCCESS"):
        (folder / name).write_bytes(b"content")
    (folder / "empty.jsonl").touch()
    (folder / "nothing inside").mkdir()
    (outside / "secret.jsonl").write_bytes(LINE)
    for name, target in {
        "dangling.jsonl": folder / "nowhere.jsonl",
        "loop.jsonl": folder / "loop.jsonl",
        "leaves.jsonl": outside / "secret.jsonl",
        "folder_leaves": outside,
        "device.jsonl": Path("/dev/zero"),
        "self.jsonl": folder,
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as served, _in(folder):
        served.bind("socket.jsonl")
    nest(folder / "deep", "d", 1500)
    nest(folder / "long", "x" * 250, 20)
    try:
        yield
    finally:
        for name in ("deep", "long"):
            flatten(folder / name)


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    """A socket's whole path must be short."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def nest(folder: Path, name: str, depth: int) -> None:
    """Make folders in folders, whose path may be longer than the system takes."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def flatten(folder: Path) -> None:
    """Remove folders in folders, from the outermost on."""
    while entries := list(folder.iterdir()):
        [outer] = entries
        inner = list(outer.iterdir())
        for one in inner:
            one.rename(folder / "moved")
        outer.rmdir()
        for one in inner:
            (folder / "moved").rename(folder / one.name)
