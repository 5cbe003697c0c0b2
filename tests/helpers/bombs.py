"""Files that are small and ask for much; each has the 300 good rows, as far as they can be read."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from bad_files import row

MIB = 2**20
GOOD = [f"a good row of number {i}" for i in range(300)]
GOOD_LINES = b"".join(map(row, GOOD))


def repeated_dictionary_entry(path: Path) -> None:
    """600 rows that repeat one cell of 8 MiB, between the good ones."""
    huge = [300] * 300
    entries = [*range(100), *huge, *range(100, 200), *huge, *range(200, 300)]
    dictionary = pa.array([*GOOD, "x" * (8 * MIB)])
    texts = pa.DictionaryArray.from_arrays(pa.array(entries, pa.int32()), dictionary)
    table = pa.table({"text": texts})
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=64 * MIB)


def lying_page(path: Path) -> None:
    """A page that says it is 1.9 GB once it is unpacked."""
    _write_lie(path, size=1_900_000_000)


def lying_dictionary(path: Path) -> None:
    """A dictionary that says it has 800 million entries, for which Arrow takes 16 bytes each."""
    _write_lie(path, entries=800_000_000)


def _write_lie(path: Path, *, size: int | None = None, entries: int | None = None) -> None:
    """Write 1,000 rows whose first page lies about itself, and the good ones."""
    table = pa.table({"text": [f"row {i % 50}" for i in range(1000)]})
    with pq.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True) as file:
        file.write_table(table)
        file.write_table(pa.table({"text": GOOD}))
    raw = path.read_bytes()
    # The header of a page: type, size, packed size, checksum, and {entries, encoding}, all in
    # Thrift's compact form. The checksum gives its place to larger numbers.
    position, numbers = 4, []
    for _ in range(4):
        assert raw[position] == 0x15
        number, position = _read_varint(raw, position + 1)
        numbers.append(number)
    assert raw[position : position + 2] == b"\x3c\x15"
    there, position = _read_varint(raw, position + 2)
    head = b"\x15" + _varint(numbers[0])
    head += b"\x15" + _varint(numbers[1] if size is None else 2 * size)
    tail = b"\x4c\x15" + _varint(there if entries is None else 2 * entries)
    room = position - 4 - len(head) - len(tail) - 1
    header = head + b"\x15" + _varint(numbers[2], room) + tail
    path.write_bytes(raw[:4] + header + raw[position:])


def _read_varint(raw: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[position]
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return number, position


def _varint(number: int, length: int = 1) -> bytes:
    """Write a number in at least so many bytes."""
    out = bytearray()
    while number > 127 or len(out) + 1 < length:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def bad_lines_in_gzip(path: Path) -> None:
    """50,000 lines that are no JSON in 1 KB, after the good ones."""
    path.write_bytes(gzip.compress(GOOD_LINES + b"x\n" * 50_000))


def unpacks_too_far(path: Path) -> None:
    """400 MB of one letter, a mebibyte a line, after the good rows."""
    line = b"x" * MIB + b"\n"
    path.write_bytes(zstandard.ZstdCompressor().compress(GOOD_LINES + line * 400))


def lists_in_json(path: Path) -> None:
    """A row of 12 MiB of empty lists, each of which takes 64 bytes once it is parsed."""
    path.write_bytes(GOOD_LINES + b'{"text": [' + b",".join([b"[]"] * (4 * MIB)) + b"]}\n")


def repeated_rows(path: Path) -> None:
    """A good row in 30,000 places."""
    path.write_bytes(gzip.compress(GOOD_LINES + row(GOOD[0]) * 30_000))


def blank_lines_after_a_quote(path: Path) -> None:
    """A quote that is never closed, before half a million blank lines."""
    good = "\n".join(GOOD).encode()
    path.write_bytes(b'text\n"never closed\n' + b"\n" * (MIB // 2) + good + b"\n")


def millions_of_cells(path: Path) -> None:
    """A row of 5 million cells in 75 KB, each of a letter for which Python takes 76 bytes."""
    good = "\n".join(GOOD)
    cells = "\N{LATIN CAPITAL LETTER A WITH MACRON}," * (5 * MIB)
    path.write_bytes(gzip.compress(f"text\n{good}\n{cells}\n".encode()))
