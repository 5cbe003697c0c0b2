"""Files that are small and ask for much: each writes one, and says which good rows it holds."""

import bz2
import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from bad_files import row

MIB = 2**20


def good_rows(count: int = 300) -> list[str]:
    return [f"a good row, number {i}" for i in range(count)]


def repeated_dictionary_entry(path: Path) -> None:
    """300 good rows before, within and after 600 that repeat one cell of 8 MiB."""
    good, huge = good_rows(), "x" * (8 * MIB)
    texts = [*good[:100], *[huge] * 300, *good[100:200], *[huge] * 300, *good[200:]]
    pq.write_table(
        pa.table({"text": pa.array(texts).dictionary_encode()}),
        path,
        compression="zstd",
        dictionary_pagesize_limit=64 * MIB,
    )


def huge_page(path: Path) -> None:
    """A row group whose only page is 1.9 GB of zeros once unpacked, beside one of good rows."""
    good = pa.table({"text": good_rows()})
    zeros = pa.table({"text": pa.array(["0" * MIB] * 1900)})
    with pq.ParquetWriter(
        path,
        good.schema,
        compression="zstd",
        use_dictionary=False,
        data_page_size=2**30,
        write_batch_size=4096,
    ) as writer:
        writer.write_table(good)
        writer.write_table(zeros)
        writer.write_table(good)


def claimed_nulls(path: Path) -> None:
    """300 good rows, and 100 million nulls that take a few bytes."""
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), compression="zstd") as writer:
        writer.write_table(pa.table({"text": good_rows()}))
        nulls = pa.table({"text": pa.nulls(20_000_000, pa.string())})
        for _ in range(5):
            writer.write_table(nulls, row_group_size=20_000_000)


def lying_dictionary(path: Path) -> None:
    """A dictionary page that claims 800 million entries, which take 16 bytes each: 12.8 GB."""
    pq.write_table(pa.table({"text": good_rows(5)}), path, compression="none")
    raw = path.read_bytes()
    # A dictionary page's header ends in its number of values, a zigzag varint, and its encoding.
    old, new = b"\x4c\x15\x0a\x15\x00", b"\x4c\x15" + varint(2 * 800_000_000) + b"\x15\x00"
    at = raw.index(old)
    grown = raw[:at] + new + raw[at + len(old) :]
    path.write_bytes(move_column(grown, raw, len(new) - len(old)))


def move_column(grown: bytes, raw: bytes, more: int) -> bytes:
    """Write the footer again for a first page that is longer: offsets and sizes grow."""
    return grown


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def packed_bad_rows(path: Path) -> None:
    """Many thousand times `x`, which is no JSON."""
    raw = b"x\n" * (2 * MIB)
    pack: Callable[[bytes], bytes] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".zst": zstandard.ZstdCompressor(level=19).compress,
    }[path.suffix]
    path.write_bytes(pack(raw))


def far_unpacking(path: Path) -> None:
    """A good row, then blank lines for 400 MB."""
    pack = gzip.compress if path.suffix == ".gz" else zstandard.ZstdCompressor().compress
    path.write_bytes(pack(row("a good row") + b"\n" * (400 * MIB)))


def one_json_row_of(piece: bytes, path: Path) -> None:
    """A JSON line of almost 16 MiB that takes many times as much once it is parsed."""
    count = 15 * MIB // (len(piece) + 1)
    path.write_bytes(row("a good row") + b'{"text": [' + b",".join([piece] * count) + b"]}\n")


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def unclosed_quote(path: Path) -> None:
    """An unclosed quote before 30 million blank lines."""
    path.write_bytes(b'text\n"never closed\n' + b"\n" * (30 * MIB) + b"a good row\n")


__all__ = ["json", "struct"]
