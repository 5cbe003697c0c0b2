"""Which part of a conversation does selection look at? Training sees all of it, whichever."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from selection.config.pool import Part
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_block import RowBlock, one_by_one

Read = Callable[..., Iterator[Record | BadRecord | RowBlock]]


def looking_at(read: Read, part: Part) -> Read:
    """Return a reader whose conversations say which part of them is looked at.

    A plain text has no parts. Where one is asked for, it is a bad row: methods would compare the
    whole of it with parts of others.
    """
    return read if part == "all" else partial(_read, read, part)


def _read(read: Read, part: Part, **options: object) -> Iterator[Record | BadRecord]:
    for record in one_by_one(read(**options)):
        if isinstance(record, BadRecord):
            yield record
        elif record.turns is None:
            reason = (
                f"no {part}: the row is a plain text, and the pool looks at each {part}; set"
                " `look_at: all` in the pool's file, or keep texts and conversations in two pools"
            )
            digest = hashlib.sha256(record.text.encode()).hexdigest()
            yield BadRecord(record.origin, reason, digest)
        else:
            seen = record.prompt if part == "prompt" else record.response
            yield replace(record, looked_at=seen)
