"""What does each file of a source hold: in which formats, how many rows, which columns, such as?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selection.basics.brevity import cut
from selection.basics.text import printable
from selection.chats.formats import TEXT
from selection.corpus.limits import MAX_COLUMNS_TOLD
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_block import RowBlock

SAMPLES = 2
"""Rows of a file that are shown."""

LONGEST_PART = 100
"""Characters of a sample's text, or of each of its prompt and its response."""


@dataclass(frozen=True)
class Sample:
    """A row as it is shown.

    Attributes
    ----------
    origin : as in `Record`.
    shown : one line, shortened, nothing in it that does not print.
    """

    origin: str
    shown: str


@dataclass
class SeenFile:
    """What was read of one file.

    Attributes
    ----------
    source : that it is a file of.
    file : its name, as in the origins of its rows.
    formats : usable rows by format.
    bad : rows that cannot be used.
    unread : parts that cannot be read.
    columns : of the usable rows, in order of appearance, at most `MAX_COLUMNS_TOLD`.
    samples : the first `SAMPLES` usable rows.
    """

    source: str
    file: str
    formats: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    unread: int = 0
    columns: dict[str, None] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows read, good and bad."""
        return self.formats.total() + self.bad

    def add_block(self, block: RowBlock) -> None:
        """Count some more."""
        for row in range(min(len(block), SAMPLES - len(self.samples))):
            self.samples.append(Sample(block.origin(row), shown(block.record(row))))
        self.formats[TEXT.name] += len(block)
        self.columns.update(dict.fromkeys(block.columns[: MAX_COLUMNS_TOLD - len(self.columns)]))

    def add(self, record: Record | BadRecord) -> None:
        """Count one more."""
        if isinstance(record, BadRecord):
            self.unread += isinstance(record, UnreadPart)
            self.bad += not isinstance(record, UnreadPart)
            return
        self.formats[record.format] += 1
        if len(self.columns) < MAX_COLUMNS_TOLD:
            self.columns.update(dict.fromkeys(record.columns))
        if len(self.samples) < SAMPLES:
            self.samples.append(Sample(record.origin, shown(record)))


class SeenFiles:
    """The files of a source, while its records pass.

    Parameters
    ----------
    source : its name.
    whole : what it is, such as a package, where its rows are not parted by files; None where they
        are.
    """

    def __init__(self, source: str, whole: str | None = None) -> None:
        self._source, self._whole = source, whole
        self._files: dict[str, SeenFile] = {}

    def watch(
        self, read: Iterable[Record | BadRecord | RowBlock]
    ) -> Iterator[Record | BadRecord | RowBlock]:
        """Pass on what is read, and look at each."""
        for one in read:
            self.add(one)
            yield one

    def add(self, read: Record | BadRecord | RowBlock) -> None:
        """Look at one more."""
        if isinstance(read, RowBlock):
            self._file(self._whole or read.file).add_block(read)
        else:
            self._file(self._whole or file_of(read.origin)).add(read)

    def _file(self, name: str) -> SeenFile:
        seen = self._files.get(name)
        if seen is None:
            seen = self._files[name] = SeenFile(self._source, name)
        return seen

    def __len__(self) -> int:
        """How many there are."""
        return len(self._files)

    def __contains__(self, file: str) -> bool:
        """Whether it is among them."""
        return file in self._files

    def __iter__(self) -> Iterator[SeenFile]:
        """Give them in the order in which their first records came."""
        return iter(self._files.values())


def file_of(origin: str) -> str:
    """Return the file that an origin names; places follow its last colon or hash sign."""
    return origin[: max(origin.rfind(":"), origin.rfind("#"))]


def shown(record: Record) -> str:
    """Return a row on one short line: its text, or its prompt and its response."""
    parts = [record.text] if record.turns is None else [record.prompt or "", record.response or ""]
    return " -> ".join(printable(cut(_one_line(part), LONGEST_PART)) for part in parts)


def _one_line(text: str) -> str:
    """The beginning of a text, which may be long, with a space for each run of white space."""
    return " ".join(text[: 4 * LONGEST_PART].split())
