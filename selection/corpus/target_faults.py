"""Which rows of a target say something that cannot be meant: their split, or their label?"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from selection.basics.brevity import cut, some_of
from selection.basics.text import normalise
from selection.config.pool import ColumnNames
from selection.corpus.faults import FIRST
from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowFault

_MEANT = {"validation": "dev", "valid": "dev", "val": "dev", "development": "dev"}
_MEANT |= {"training": "train", "testing": "test", "eval": "test", "evaluation": "test"}
"""What others call our splits: said as advice, never taken for them."""

_FRACTION = re.compile(r"[+-]?\d+\.\d*")


@dataclass(frozen=True)
class LabelClash:
    """Labels that differ only in case, in white space or in how a number is written.

    Attributes
    ----------
    labels : each spelling with how many rows have it, the most frequent first.
    first : for each of them the first origins.
    """

    labels: tuple[tuple[str, int], ...]
    first: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """The most frequent spellings with their rows, on one line."""
        spellings = [
            f"{cut(repr(label), 80)} ({count:,} rows: {cut(', '.join(first), 80)}"
            f"{', ...' if count > FIRST else ''})"
            for (label, count), first in zip(self.labels, self.first, strict=True)
        ]
        *others, last = some_of(spellings, most=10)
        return " and ".join([*others, last.removeprefix("and ")])


def has_label(record: Record) -> bool:
    """Whether a row says what it is an example of."""
    return bool(record.label and record.label.strip())


def target_fault(
    record: Record,
    columns: ColumnNames,
    splits: Collection[str],
    *,
    labelled: bool,
    parted: bool,
) -> BadRecord | None:
    """Say why a row that could be read is no example of the target; None for one that is.

    Parameters
    ----------
    splits : those that there are, as they must be written.
    labelled, parted : whether other rows have a label, and a split.
    """
    known = ", ".join(reversed(tuple(splits)))
    reason = None
    if record.split is None and parted:
        reason = f"no split: column {columns.split!r} is null; write one of {known}"
    elif record.split is not None and record.split not in splits:
        meant = record.split.strip().lower()
        meant = _MEANT.get(meant, meant)
        advice = f"write {meant!r}" if meant in splits else f"known are {known}"
        reason = f"unknown split: column {columns.split!r} is {record.split!r}; {advice}"
    elif labelled and not has_label(record):
        reason = f"no label: column {columns.label!r} is null or blank, and other rows have labels"
    if reason is None:
        return None
    digest = hashlib.sha256(record.text.encode("utf-8")).hexdigest()
    return BadRecord(record.origin, str(RowFault(reason)), digest)


def label_clashes(records: Iterable[Record]) -> tuple[LabelClash, ...]:
    """Find labels that are written in several ways, such as `spam` and `Spam `, or 1 and 1.0."""
    count: Counter[str] = Counter()
    first: defaultdict[str, list[str]] = defaultdict(list)
    written: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.label is None:
            continue
        count[record.label] += 1
        written[_same(record.label)].add(record.label)
        if count[record.label] <= FIRST:
            first[record.label].append(record.origin)
    clashes = []
    for labels in written.values():
        if len(labels) > 1:
            ranked = sorted(labels, key=lambda label: (-count[label], label))
            clashes.append(
                LabelClash(
                    tuple((label, count[label]) for label in ranked),
                    tuple(tuple(first[label]) for label in ranked),
                )
            )
    return tuple(clashes)


def _same(label: str) -> str:
    """Return what labels that mean the same have in common."""
    plain = normalise(label).casefold()
    return plain.rstrip("0").rstrip(".") if _FRACTION.fullmatch(plain) else plain
