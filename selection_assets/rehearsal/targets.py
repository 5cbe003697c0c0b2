"""Can the rows of a target be used: does every split have enough, and every row what it needs?"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from resources.project import resolve
from selection.basics.text import row_id
from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.docstrings import read_docstrings
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.shortfall import bad_rows
from selection.corpus.target import SPLITS, read_target
from selection.models.examples import Example
from selection_assets.rehearsal.finding import Finding
from selection_assets.rehearsal.sources import UNREADABLE

SAMPLE = 20_000
"""Rows: all of nearly every target."""


@dataclass(frozen=True)
class SeenTarget:
    """A target as far as it was read.

    Attributes
    ----------
    records : usable rows that are of a split; of a target read to its end, those that are drawn.
    drawn : whether they are: only then a row that is wrong is one that the study would use.
    """

    findings: list[Finding]
    records: list[Record]
    drawn: bool = False


def look_at_target(name: str, target: Target) -> SeenTarget:
    """Read the beginning of a target; where that is all of it, draw its splits too.

    Parameters
    ----------
    name : the study's field, `target` or `contrast`.
    """
    try:
        records = list(islice(_records(target), SAMPLE))
    except UNREADABLE as error:
        return SeenTarget([Finding(name, "its beginning", str(error).strip())], [])
    whole = len(records) < SAMPLE
    seen = f"{'all' if whole else 'the first'} {len(records):,} rows"
    bad = [record for record in records if isinstance(record, BadRecord)]
    good = [record for record in records if isinstance(record, Record)]
    used = [r for r in good if isinstance(target, DocstringTarget) or r.split in SPLITS]
    problems = list(_problems(name, bad, used))
    if whole:
        try:
            used = _drawn(name, target, used)
        except UNREADABLE as error:
            # It says better what is wrong where no row at all is of a split.
            problems, whole = [*(problems if used else []), str(error)], False
    findings = [Finding(name, seen, problem) for problem in problems] or [Finding(name, seen)]
    return SeenTarget(findings, used, drawn=whole)


def examples_of(records: list[Record]) -> Iterator[Example | str]:
    """Rows as a model reads them, or why one cannot be."""
    for record in records:
        try:
            yield Example(
                row_id(record.text), record.text, record.label, record.prompt, record.response
            )
        except ValueError as error:
            yield f"{record.origin}: {str(error).partition(': ')[2]}"


def _records(target: Target) -> Iterator[Record | BadRecord]:
    match target:
        case DocstringTarget():
            words = {"min_words": target.min_words, "max_words": target.max_words}
            return read_docstrings(target.package, **words)
        case FileTarget():
            return read_path(resolve(target.path), columns=target.columns)
        case _:
            assert_never(target)


def _drawn(name: str, target: Target, used: list[Record]) -> list[Record]:
    """Of the rows those that the study would use; ValueError where a split has too few."""
    path = resolve(target.path) if isinstance(target, FileTarget) else None
    drawn = set(read_target(target, path, name=name).rows["row_id"].to_pylist())
    return [record for record in used if row_id(record.text) in drawn]


def _problems(name: str, bad: list[BadRecord], used: list[Record]) -> Iterator[str]:
    unlabelled = [record.origin for record in used if record.label is None]
    if unlabelled and len(unlabelled) < len(used):
        yield (
            f"{len(unlabelled):,} of {len(used):,} rows have no label, first {unlabelled[0]}:"
            f" label them, leave them out, or set `{name}.columns.label` to null"
        )
    if not used:
        reasons = bad_rows(bad) or "none is of the split train, dev or test"
        yield f"no row can be used: {reasons}; correct them, or `{name}.columns`"
