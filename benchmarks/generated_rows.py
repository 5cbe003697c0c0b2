"""As many rows as are asked for, all different, of real sentences put together anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

SENTENCES_PER_ROW = 3
SHORTEST, LONGEST = 30, 240
"""Characters of a sentence that is taken."""

_END = re.compile(r"(?<=[.!?])\s+")
_AT_ONCE = 50_000


def sentences_of(file: Path) -> list[str]:
    """Read the distinct sentences of a Parquet file's `text`, in their order."""
    found: dict[str, None] = {}
    for batch in pq.ParquetFile(file).iter_batches(_AT_ONCE, columns=["text"]):
        for text in batch["text"].to_pylist():
            some = (one for one in _END.split(text) if SHORTEST <= len(one) <= LONGEST)
            found.update(dict.fromkeys(some))
    return list(found)


def generated_rows(sentences: list[str], n_rows: int) -> Iterator[str]:
    """Give rows of `SENTENCES_PER_ROW` sentences drawn by a seed; no two are the same.

    The first rows of more are the same as of fewer.
    """
    seen: set[bytes] = set()
    draw = np.random.default_rng(0)
    while len(seen) < n_rows:
        for numbers in draw.integers(len(sentences), size=(_AT_ONCE, SENTENCES_PER_ROW)):
            key = numbers.astype(np.int32).tobytes()
            if key not in seen and len(seen) < n_rows:
                seen.add(key)
                yield " ".join(sentences[number] for number in numbers)


def write_pool(source: Path, file: Path, n_rows: int) -> None:
    """Write so many rows as JSON lines."""
    with file.open("w", encoding="utf-8") as lines:
        for text in generated_rows(sentences_of(source), n_rows):
            lines.write(json.dumps({"text": text}) + "\n")
