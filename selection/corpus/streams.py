"""The bytes of an untrusted file, read safely and bounded in memory."""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from selection.corpus.limits import MIB, PACKED_WINDOW, most_unpacked

BLOCK = 1 << 20
# A zstd block of 4 bytes may unpack to 128 KiB, so 2 KiB of hostile input is at most 64 MiB.
PACKED_BLOCK = 1 << 11
BOM = b"\xef\xbb\xbf"


class FileRefused(ValueError):
    """A file that is not read at all: an escaping link, a pipe, one without a byte."""


class FileUnreadable(FileRefused):
    """A file that is wanted and cannot be opened: no permission, a link to nothing."""


class StreamDamaged(ValueError):
    """Bytes that end early or do not unpack, with the place where reading stopped.

    Attributes
    ----------
    line : int
        The number of the line that is cut, from 1.
    raw_sha256 : str
        SHA-256 of what was read of that line.
    """

    def __init__(self, reason: str, *, line: int = 0, raw_sha256: str = "") -> None:
        super().__init__(reason)
        self.line = line
        self.raw_sha256 = raw_sha256


@contextmanager
def open_regular(path: Path, root: Path) -> Iterator[BinaryIO]:
    """Open a regular file that lies under a root, never waiting on a pipe.

    A symbolic link is followed when it stays under the root, which is a resolved folder.

    Raises
    ------
    FileRefused
        The file leaves the root, is not regular or is empty; as `FileUnreadable` if it cannot be
        opened.
    """
    try:
        resolved = path.resolve()
        if not resolved.is_relative_to(root):
            raise FileRefused("symlink leaves the folder")
        _require_regular(resolved.lstat().st_mode)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(resolved, flags)
    except RuntimeError as error:  # how Path.resolve reports a loop of links
        raise FileRefused("symlink loop") from error
    except OSError as error:
        raise FileUnreadable(f"cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _require_regular(found.st_mode)  # it may have been swapped since lstat
        if not found.st_size:
            raise FileRefused("empty file")
        yield file


def _require_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FileRefused("not a regular file")


def read_blocks(file: BinaryIO, *, block: int = BLOCK) -> Iterator[bytes]:
    """Read the bytes that a regular file has now, block by block, and no byte appended since.

    Raises
    ------
    StreamDamaged
        The file became shorter, or the device cannot read it.
    """
    left = os.fstat(file.fileno()).st_size
    while left:
        try:
            data = file.read(min(block, left))
        except OSError as error:
            raise StreamDamaged(f"cannot be read: {error.strerror}") from error
        if not data:
            raise StreamDamaged(f"file shrank while it was read: {left:,} bytes are gone")
        left -= len(data)
        yield data


def unpack(file: BinaryIO, packing: str) -> Iterator[bytes]:
    """Read a regular file through its compression, up to a damage if there is one.

    Parameters
    ----------
    packing : one of PACKINGS
        The compression; members and frames may follow one another.

    Yields
    ------
    bytes
        At most `BLOCK`, however small the bytes were that unpacked to it.

    Raises
    ------
    StreamDamaged
        The stream is truncated or corrupt, unpacks to nothing or to more than `most_unpacked`
        allows, or needs more memory than `PACKED_WINDOW`.
    """
    if not packing:
        yield from read_blocks(file)
        return
    size = os.fstat(file.fileno()).st_size
    most = left = most_unpacked(size)
    new = _UNPACKERS[packing]
    unpacker = new()
    for data in read_blocks(file, block=PACKED_BLOCK):
        while data:
            if unpacker.eof:
                if not data.strip(b"\0"):  # padding to a tape block, which gzip allows
                    break
                unpacker = new()
            try:
                for block in _unpacked(unpacker, data):
                    left -= len(block)
                    if left < 0:
                        raise StreamDamaged(
                            f"unpacks too far: {size:,} bytes give more than {most:,}; unpack the "
                            "file yourself if all of it is wanted"
                        )
                    yield block
            except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError) as error:
                raise StreamDamaged(_unpacking_fault(packing, error)) from error
            data = unpacker.unused_data if unpacker.eof else b""
    if not unpacker.eof:
        raise StreamDamaged(f"truncated {packing} stream")
    if left == most:
        raise StreamDamaged(f"empty {packing} stream: the file unpacks to nothing")


def _unpacking_fault(packing: str, error: Exception) -> str:
    if "too much memory" in str(error) or "Memory usage limit" in str(error):
        return (
            f"too large a window: unpacking takes more than {PACKED_WINDOW // MIB} MiB of memory;"
            " unpack the file yourself, or pack it without `--long`"
        )
    return f"corrupt {packing} stream: {error}"


def _unpacked(unpacker: Any, data: bytes) -> Iterator[bytes]:
    """Yield what some packed bytes unpack to, in blocks."""
    # Of these 2 KiB may unpack to 2 GB.
    if isinstance(unpacker, bz2.BZ2Decompressor | lzma.LZMADecompressor):
        yield unpacker.decompress(data, BLOCK)
        while not (unpacker.needs_input or unpacker.eof):
            yield unpacker.decompress(b"", BLOCK)
    else:
        unpacked = unpacker.decompress(data)
        for start in range(0, len(unpacked), BLOCK):
            yield unpacked[start : start + BLOCK]


# Each gives an object with `decompress`, `eof` and `unused_data`.
_UNPACKERS: dict[str, Callable[[], Any]] = {
    "gz": partial(zlib.decompressobj, wbits=16 + zlib.MAX_WBITS),
    "zst": lambda: zstandard.ZstdDecompressor(max_window_size=PACKED_WINDOW).decompressobj(),
    "bz2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=PACKED_WINDOW),
}
PACKINGS = ("", *_UNPACKERS)
"""How a file may be compressed, as its name ends: not at all, or by one of these."""
