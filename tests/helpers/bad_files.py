"""Rows and files that a reader has to judge, good and bad."""

import hashlib
import json
from collections.abc import Iterable

from selection.corpus.records import BadRecord, Record


def split(records: Iterable[Record | BadRecord]) -> tuple[list[Record], list[BadRecord]]:
    """Part good records from bad ones."""
    everything = list(records)
    good = [record for record in everything if isinstance(record, Record)]
    return good, [record for record in everything if isinstance(record, BadRecord)]


def row(text: object) -> bytes:
    """Return one JSON line."""
    return json.dumps({"text": text}).encode() + b"\n"


def incompressible_rows(count: int) -> bytes:
    """Return JSON lines that no compression can shrink away."""
    return b"".join(
        row(hashlib.sha256(bytes([i % 256, i // 256])).hexdigest()) for i in range(count)
    )


def sha(raw: bytes) -> str:
    """Return the hash that quarantine should hold."""
    return hashlib.sha256(raw).hexdigest()
