"""Which rows are exported, and in which format do they go out?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from selection.basics.brevity import some_of
from selection.basics.draws import keyed_uniform
from selection.chats.conversation import Conversation
from selection.chats.formats import TEXT
from selection.corpus.originals import Original
from selection.export.formats import FORMATS, ExportFormat
from selection.export.written import WRITERS, CannotSay, Written, as_messages


class CannotExport(ValueError):
    """Why rows cannot be exported so; the message says which rows, and what can be done."""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A row with why it is here.

    Attributes
    ----------
    origin : ``file:line`` of the first of its duplicates.
    format : in which it came.
    turns : a conversation as canonical JSON; None for a text.
    original : the row as it came; None for a bare text.
    n_tokens : as the study's base model counts them.
    """

    row_id: str
    source: str
    origin: str
    licence: str | None
    format: str
    text: str
    turns: str | None
    original: Original | None
    n_tokens: int
    score: float
    rank: int
    margin: float

    @property
    def came_in(self) -> str:
        """Format of `as_it_came`."""
        return "messages" if self.turns is not None and self.original is None else self.format

    @property
    def as_it_came(self) -> str:
        """The row as a line of JSON, all its columns."""
        if self.original is not None:
            return self.original.line
        if self.turns is not None:
            return _line(as_messages(Conversation.from_json(self.turns)))
        return _line({"text": self.text})


def usual_format(rows: Collection[ExportRow]) -> tuple[ExportFormat, str]:
    """Return the format in which rows go out unless another is asked for, and why it is that.

    As they came, where all came in one format with columns of the same names. Else as messages, or
    as texts where some are texts.
    """
    kinds = Counter((row.came_in, row.original.columns if row.original else "") for row in rows)
    if len(kinds) == 1:
        [(name, _)] = kinds
        return "original", f"as they came: all are {name}"
    names = sorted({name for name, _ in kinds})
    mixed = f"the rows came as {', '.join(names)}"
    if len(names) == 1:
        mixed += " with columns of different names"
    if TEXT.name in names:
        return "text", f"as texts, because {mixed}, and a text has no turns"
    return "messages", f"as messages, because {mixed}"


def write_lines(rows: Sequence[ExportRow], wanted: ExportFormat) -> list[str]:
    """Write each row as a line of JSON in a format.

    Raises
    ------
    CannotExport
        Naming rows that the format cannot say, and formats that can say all.
    """
    if wanted == "original":
        return [row.as_it_came for row in rows]
    if wanted == "text":
        return [_line({"text": row.text}) for row in rows]
    lines, refused = _written(rows, wanted)
    if refused:
        able = [name for name in FORMATS if name not in WRITERS or not _written(rows, name)[1]]
        said = "; ".join(some_of([f"row {row} ({why})" for row, why in refused.items()], most=5))
        raise CannotExport(
            f"{len(refused)} of {len(rows)} rows cannot be written as {wanted}: {said}. All can be"
            f" as {', '.join(able)}"
        )
    return lines


def shuffled(rows: Sequence[ExportRow], seed: int) -> list[ExportRow]:
    """Return rows in an order that depends on their ids and the seed only."""
    place = keyed_uniform([row.row_id for row in rows], seed=seed, purpose="export")
    return [rows[i] for i in place.argsort(kind="stable")]


def _written(rows: Sequence[ExportRow], wanted: str) -> tuple[list[str], dict[str, str]]:
    """Lines of those rows that can be written, and of the others by id why not."""
    lines, refused = [], {}
    for row in rows:
        if row.turns is None:
            refused[row.row_id] = "a text without turns"
            continue
        try:
            lines.append(_line(WRITERS[wanted](Conversation.from_json(row.turns))))
        except CannotSay as fault:
            refused[row.row_id] = str(fault)
    return lines, refused


def _line(row: Written) -> str:
    return json.dumps(row, ensure_ascii=False)
