"""What is one source of a pool, before anything of it is read?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from selection.basics.file_names import printable_name
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_block import RowBlock, one_by_one
from selection.corpus.seen_files import SeenFiles


@dataclass(frozen=True)
class Source:
    """One source of a pool, nothing of it read yet.

    Attributes
    ----------
    what : its file, folder, package or data set, safe to print.
    name : what it is called; its partition is `partition_name` of that.
    read : starts reading it.
    fingerprint : looks at sizes and times of its files (or at its pinned revision); changes when
        they change. Cheap enough for a sensor: no content is read. Raises `CannotBeRead` for what
        cannot be read now.
    by_file : whether `read` takes `rows_per_file` and `together`, as `read_path` does.
    place, split : the file or folder that it is, if it is one, and the split asked for.
    """

    what: str
    name: str
    read: Callable[..., Iterator[Record | BadRecord | RowBlock]]
    fingerprint: Callable[[], str]
    by_file: bool = False
    place: Path | None = None
    split: str | None = None

    def seen_files(self) -> SeenFiles:
        """Begin to look at what its files hold, or at the whole if it has none."""
        return SeenFiles(printable_name(self.name), None if self.by_file else self.what)

    def begin(self, rows: int) -> Iterator[Record | BadRecord]:
        """Read the first so many rows of each of its files, or of the whole if it has none."""
        if self.by_file:
            return one_by_one(self.read(rows_per_file=rows))
        return islice(one_by_one(self.read()), rows)

    def read_whole(self) -> Iterator[Record | BadRecord | RowBlock]:
        """Read all of it, rows of which nothing is to be said together."""
        return self.read(together=True) if self.by_file else self.read()
