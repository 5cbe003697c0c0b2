"""What a reader looks for in a row: which columns, in which formats, and how large it may be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from selection.chats.formats import (
    BESIDE,
    CHATS,
    MAY_BE_LISTS,
    TEXT,
    Fields,
    Format,
    half_format,
    whole_format,
)
from selection.chats.turns import EMPTY
from selection.config.pool import ColumnNames

LICENCE = ("licence", "license")
"""Columns in which a row's licence is looked for, where none is named."""


@dataclass(frozen=True)
class RowRules:
    """What a reader was asked for: its columns, its filter and the largest row it accepts.

    Attributes
    ----------
    may_be_absent : fields about a row whose column a table need not have.
    originals : whether records have the row as it came.
    together : whether rows of plain text may be given as `RowBlock`.
    """

    columns: ColumnNames
    where: Mapping[str, str]
    max_bytes_per_row: int
    may_be_absent: frozenset[str] = frozenset()
    originals: bool = False
    together: bool = False

    @cached_property
    def formats(self) -> tuple[Format, ...]:
        """Formats that a row may be in, the first that fits first.

        A text comes last: a file that has both was rendered for people who have no turns. Where the
        column of the text is named, it is what counts.
        """
        named = self.named.keys() - set(BESIDE)
        asked = [known for known in (*CHATS, TEXT) if named & {*known.needs, *known.may}]
        if TEXT in asked:
            asked = [TEXT, *(known for known in asked if known is not TEXT)]
        return tuple(asked) or (*CHATS, TEXT)

    @cached_property
    def named(self) -> Mapping[str, str]:
        """Field -> column, of those that are named."""
        return self.columns.columns_named()

    @cached_property
    def about(self) -> Mapping[str, str]:
        """Field -> column, of those of them that say something about a row."""
        return self.columns.columns_about()

    @cached_property
    def content(self) -> Mapping[str, str]:
        """Field -> column, of all that a row may be."""
        fields = (field for known in self.formats for field in (*known.needs, *known.may))
        return {field: self.columns.column_of(field) for field in fields}

    @cached_property
    def _fields_of(self) -> Mapping[str, list[str]]:
        """Column -> fields, of the same."""
        found: dict[str, list[str]] = {}
        for field, column in self.content.items():
            found.setdefault(column, []).append(field)
        return found

    def wanted(self) -> set[str]:
        """Return every column that a row may be asked for."""
        about = {*self.about.values(), *self.licence_columns}
        return {*self.content.values(), *about, *self.where}

    @property
    def licence_columns(self) -> tuple[str, ...]:
        """Columns that may say a row's licence, and need not; none where one is named."""
        return LICENCE if self.columns.licence is None else ()

    def columns_of_turns(self) -> set[str]:
        """Return the columns whose values may be lists, of messages or of tools."""
        return {column for field, column in self.content.items() if field in MAY_BE_LISTS}

    def fits(self, columns: Collection[str]) -> bool:
        """Whether a table with these columns can have a row in one of the formats."""
        fields = {field for field, column in self.content.items() if column in columns}
        return whole_format(fields, self.formats) is not None

    def format_of(self, row: Mapping[str, object]) -> Format | None:
        """Return the format that a row is in, whole or in part; None where it is in none."""
        filled = self._filled(row)
        if (found := whole_format(filled, self.formats)) is not None:
            return found
        there = {field: row[column] for field, column in self.content.items() if column in row}
        empty = {field for field, value in there.items() if value == []}
        return half_format(Fields(filled, filled | empty, set(there)), self.formats)

    def is_whole(self, row: Mapping[str, object]) -> bool:
        """Whether a row has all that one of the formats needs."""
        return whole_format(self._filled(row), self.formats) is not None

    def _filled(self, row: Mapping[str, object]) -> set[str]:
        # A row has few columns, and there are many fields.
        fields_of = self._fields_of
        filled = (name for name, value in row.items() if name in fields_of and value not in EMPTY)
        return {field for column in filled for field in fields_of[column]}
