"""How much may one file take? Every limit of reading, and why it is what it is."""

from __future__ import annotations

MIB = 2**20

MAX_BYTES_PER_ROW = 16 * MIB
"""A row's cells together, in UTF-8. A larger row is a bad one, and is never held in memory."""

MAX_LINES_PER_ROW = 100_000
"""Lines of one CSV row: Python spends a hundred bytes on each, an empty one included."""

MAX_CELLS_PER_ROW = 500_000
"""Separators of one CSV row, in quotes or not: Python spends a hundred bytes on each cell. The
commas of 16 MiB of prose are half as many."""

MAX_LONE_NULS = 15
"""NUL bytes that may follow one another in a row. More are a piece of the file that was never
written, as a full disk, a lost power supply or an unfinished download leave it."""

READ_AGAIN_FREE = 4 * MIB
READ_AGAIN_RATIO = 4
"""The lines behind a quote that is not closed are read again: as often as this, of all that a file
holds. Wrong quotes in every tenth row of a real file come to once."""

MAX_JSON_DEPTH = 64
"""Python's parser recurses on the C stack, so its own limit would depend on who calls it."""

UNPACKED_FREE = 32 * MIB
UNPACKED_RATIO = 200
"""A file of n bytes may unpack to `UNPACKED_FREE + UNPACKED_RATIO * n`: text packs 3 to 20 fold."""

PACKED_WINDOW = 128 * MIB
"""Memory that unpacking zstd or xz may take: what `zstd --ultra -22` and `xz -9` need."""

ROWS_FREE = 200_000
ROWS_PER_BYTE = 2
"""A Parquet file of n bytes may have `ROWS_FREE + ROWS_PER_BYTE * n` rows: 20 bytes can claim 2**31
nulls, and each would take time."""

MAX_SPLIT_VALUES = 10_000
"""Distinct values of a `split_by`: each is a source, which reads the whole file."""

PARQUET_MEMORY = 1536 * MIB
"""Address space of the process that decodes a Parquet file, 350 MiB of it libraries. What its
pages, dictionaries and lengths ask for beyond it is refused by the operating system."""

PARQUET_SECONDS = 120
PARQUET_SECONDS_PER_MIB = 60
"""Processor seconds of that process: so many, and so many for each MiB of the file."""

ROW_MEMORY = 256 * MIB
"""What rows of one source take in memory while it is read, unless the pool says otherwise: what is
more waits on disk."""

TARGET_MEMORY = 4096 * MIB
"""What the rows of a target may take in memory."""

READING_MEMORY = 1024 * MIB
"""What reading any one file takes beside the rows that are kept: a row of `MAX_BYTES_PER_ROW` in
the form that takes most once it is parsed, a window of 128 MiB of zstd."""

MAX_PYTHON_BYTES = 4 * MIB
"""A Python file: its syntax tree takes a hundred times its size."""

MAX_DOCSTRING_CHARS = 256 * 1024
"""Four times the longest that is known; `inspect.cleandoc` drops leading blank lines in quadratic
time."""

MAX_LISTED = 10_000
"""Bad rows of one kind that a quarantine lists; all are counted."""

MAX_ORIGINS = 1_000
"""Places that a row remembers of its exact duplicates; all are counted."""

MAX_NOTE_BYTES = MIB
"""What `datasets` writes beside a data set that it saves: the names of its files and splits."""

MAX_COLUMNS_TOLD = 64
"""Columns of a row that are remembered for messages: a file may have any number."""

MAX_REASON_CHARS = 400
"""A reason quotes what was found, which may be long."""


def most_unpacked(size: int) -> int:
    """Bytes to which a file of `size` bytes may unpack."""
    return UNPACKED_FREE + UNPACKED_RATIO * size


def most_rows(size: int) -> int:
    """Rows that a Parquet file of `size` bytes may have."""
    return ROWS_FREE + ROWS_PER_BYTE * size


def most_read_again(size: int) -> int:
    """Bytes of a file, of which `size` were read, that may be read once more."""
    return READ_AGAIN_FREE + READ_AGAIN_RATIO * size
