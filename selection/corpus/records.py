"""What comes out of every reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from selection.basics.text import printable, row_id
from selection.chats.conversation import Conversation
from selection.chats.formats import TEXT
from selection.corpus.limits import MAX_COLUMNS_TOLD
from selection.corpus.originals import Original


@dataclass(frozen=True, slots=True)
class Record:
    """One usable row as it was read.

    Attributes
    ----------
    text : str
        What is trained on; never blank, no NUL, encodable as UTF-8.
    origin : str
        ``file:line`` counted from 1, ``file#row`` counted from 0 for Parquet and data sets, or
        ``package.module:qualname`` for docstrings. Files are relative to the path that was read.
    prompt, response : str or None
        Of a conversation, all before its last answer, and that answer; of a text, the columns that
        the source names.
    licence, label, split : str or None
        The row's other columns, where the source names them.
    turns : str or None
        A conversation as canonical JSON (`selection.chats.conversation`); None for a text.
    format : str
        In which the row came (`selection.chats.formats`).
    columns : tuple of str
        Of the row, or of its whole table, as far as a reader knows them; for messages.
    looked_at : str or None
        The part of a conversation that selection looks at, where that is not all of its text.
    original : Original or None
        The row as it came, where the reader was asked for it and the row is no bare text.
    """

    text: str
    origin: str
    prompt: str | None = None
    response: str | None = None
    licence: str | None = None
    label: str | None = None
    split: str | None = None
    turns: str | None = None
    format: str = TEXT.name
    columns: tuple[str, ...] = field(default=(), compare=False)
    looked_at: str | None = None
    original: Original | None = None

    @property
    def row_id(self) -> str:
        """The hash that names the row, 32 hexadecimal characters: of its turns, or of its text."""
        if self.turns is not None:
            return Conversation.from_json(self.turns).row_id()
        return row_id(self.text)


@lru_cache(maxsize=256)
def told_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of columns as records have them: few, short, and the same object for all."""
    return tuple(printable(name[:80]) for name in names[:MAX_COLUMNS_TOLD])


@dataclass(frozen=True, slots=True)
class BadRecord:
    """One row, or one file, that could not be used.

    Attributes
    ----------
    origin : str
        Where it is, as in `Record`.
    reason : str
        ``kind`` or ``kind: detail``; summaries count by kind.
    raw_sha256 : str
        SHA-256 (hexadecimal) of the offending bytes: the line, the unread rest of a damaged
        stream, the target of a refused link, a whole unreadable Parquet file, or the canonical
        JSON of a Parquet or data set row. Of no bytes where none could be read.
    """

    origin: str
    reason: str
    raw_sha256: str

    @property
    def kind(self) -> str:
        """The reason without its detail."""
        return self.reason.partition(": ")[0]

    @property
    def detail(self) -> str:
        """The reason without its kind; the kind where that is all."""
        return self.reason.partition(": ")[2] or self.reason


@dataclass(frozen=True, slots=True)
class UnreadPart(BadRecord):
    """A part of a file that could not be read, from its origin on: nobody knows what it holds.

    It is no bad row, of which a source may have some: rows are missing.

    Attributes
    ----------
    missing : int or None
        Rows that the part holds, where the format says so; None where it does not.
    """

    missing: int | None = None
