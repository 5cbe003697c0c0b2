"""Why can a row not be used, and may more be lost than one?"""

from __future__ import annotations

from selection.basics.brevity import cut
from selection.basics.text import printable
from selection.corpus.limits import MAX_REASON_CHARS


class RowFault(ValueError):
    """Why one row cannot be used; its message, safe to print, is the reason of a `BadRecord`."""

    def __init__(self, reason: str) -> None:
        super().__init__(printable(cut(reason, MAX_REASON_CHARS)))


class RowsMissing(RowFault):
    """More may be lost than one row; the message becomes the reason of an `UnreadPart`.

    Attributes
    ----------
    missing : rows that are known to be lost; None where nobody knows.
    """

    def __init__(self, reason: str, missing: int | None = None) -> None:
        super().__init__(reason)
        self.missing = missing
