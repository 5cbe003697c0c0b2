"""What do the rows that are kept take in memory, and is that too much?"""

from __future__ import annotations

from sys import getsizeof

from selection.corpus.limits import MIB
from selection.corpus.records import Record

PER_ROW = 1024
"""Bytes of a row beside its texts: its id, its places in Python's and in Arrow's tables."""


class Memory:
    """Counts what is kept, and refuses to keep more than it may take.

    Parameters
    ----------
    what, remedy : whose rows they are, and what to do when they are too many; for the message.
    limit : bytes.
    """

    def __init__(self, what: str, remedy: str, limit: int) -> None:
        self._what = what
        self._remedy = remedy
        self._limit = limit
        self._taken = 0

    def keep(self, record: Record) -> None:
        """Count a row.

        Raises
        ------
        ValueError
            It is one too many.
        """
        texts = (
            *(record.text, record.prompt, record.response, record.turns),
            *(record.licence, record.label),
        )
        self._taken += PER_ROW + sum(map(getsizeof, filter(None, texts)))
        if self._taken > self._limit:
            raise ValueError(
                f"{self._what}: its rows take more than {self._limit // MIB:,} MiB of memory at "
                f"{record.origin}; {self._remedy}"
            )
