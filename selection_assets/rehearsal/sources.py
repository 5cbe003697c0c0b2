"""Can the first rows of every source of a pool be used?"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from resources.paths import resolve
from selection.config.pool import AWAY, FileSources, HubSource, Pool, SourceSpec
from selection.corpus.faults import faults_of, whole_or_allowed
from selection.corpus.looked_at import looking_at
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.seen_files import SeenFile, file_of
from selection.corpus.source import Source
from selection.corpus.sources import list_sources
from selection_assets.rehearsal.finding import SAMPLE, Finding
from selection_assets.shared.faults import NO_ROWS

FILES = 8
"""Files of a source: to open a thousand takes minutes."""

UNREADABLE = (ValueError, OSError, pa.ArrowException)
"""What reading a file or a package raises where nothing of it can be read."""


@dataclass(frozen=True)
class _Beginning:
    """The first rows of the first files of sources.

    Attributes
    ----------
    whole : whether these are all rows.
    """

    records: list[Record | BadRecord]
    files: tuple[SeenFile, ...]
    whole: bool

    @classmethod
    def read(cls, source: Source) -> "_Beginning":
        """Read no more of a source than can be read while somebody waits."""
        seen, records = source.seen_files(), list[Record | BadRecord]()
        for record in source.begin(SAMPLE):
            if len(seen) == FILES and source.by_file and file_of(record.origin) not in seen:
                return cls(records, tuple(seen), whole=False)
            records.append(record)
            seen.add(record)
        return cls(records, tuple(seen), whole=all(file.n_rows < SAMPLE for file in seen))

    @property
    def said(self) -> str:
        """How much was read."""
        if self.whole:
            return f"all {len(self.records)} rows"
        of = f" of each of {len(self.files)} files" if len(self.files) > 1 else ""
        return f"the first {SAMPLE} rows{of}"


def look_at_sources(pool: Pool, unusable: Collection[str], *, fetch: bool) -> list[Finding]:
    """Read the beginning of every source.

    Parameters
    ----------
    unusable : sources that are known to be of no use as they are now; nobody looks at them again.
    fetch : whether rows may be fetched from a hub.

    Returns
    -------
    list of Finding
        One for all sources that are as they should be, and one for each other one; what is not
        read at all is listed elsewhere (`not_read`). None stops the study, nor a pool of none but
        bad ones: reading it costs nothing, and leaves the quarantine tables to look at.
    """
    usable, others, away = 0, list[Finding](), 0
    files: list[SeenFile] = []
    for spec in pool.sources:
        if isinstance(spec, AWAY) and not fetch:
            away += 1
            place = spec.dataset if isinstance(spec, HubSource) else spec.address
            others.append(Finding(f"source {spec.name}", f"{place}: would be fetched"))
            continue
        for names, source in _readers(pool, spec, unusable):
            found = _look_at(names, source, pool)
            if isinstance(found, Finding):
                others.append(found)
            else:
                usable += 1
                files += found
    if not usable + away:
        problem = "no source has a usable row, so that there is nothing to select"
        others.append(Finding(f"pool {pool.name}", "its sources", problem, stops=False))
    seen = f"the first {SAMPLE} rows of each of {usable:,}"
    formats = sum((file.formats for file in files), Counter[str]())
    if formats:
        seen += f": {', '.join(name for name, _ in formats.most_common())}"
    return [Finding("sources", seen, files=tuple(files)), *others]


def beginning_texts(pool: Pool, unusable: Collection[str]) -> Iterator[str]:
    """Texts of the first rows of every source that can be read; one source is read after another.

    Rows of a hub are read if its files are here or can be fetched.
    """
    for spec in pool.sources:
        for _, source in _readers(pool, spec, unusable):
            try:
                records = _Beginning.read(source).records
            except UNREADABLE:
                continue  # `look_at_sources` says so
            yield from (record.text for record in records if isinstance(record, Record))


def _readers(
    pool: Pool, spec: SourceSpec, unusable: Collection[str]
) -> Iterator[tuple[list[str], Source]]:
    """Sources by name; a file that is split by a column is read once for all of its own."""
    listed = list_sources(pool.model_copy(update={"sources": [spec]}), resolve).sources
    left = {name: source for name, source in listed.items() if name not in unusable}
    if isinstance(spec, FileSources) and spec.split_by is not None and left:
        read = partial(read_path, resolve(spec.path), columns=spec.columns)
        read = looking_at(read, pool.look_at)
        yield list(left), replace(next(iter(left.values())), read=read)
        return
    for name, source in left.items():
        yield [name], source


def _look_at(names: list[str], source: Source, pool: Pool) -> Finding | tuple[SeenFile, ...]:
    """Say what is wrong with the beginning of sources; where nothing is, what their files hold."""
    more = f" and {len(names) - 1:,} more of its file" if len(names) > 1 else ""
    what = f"source {names[0]}{more}"
    try:
        begun = _Beginning.read(source)
    except UNREADABLE as error:
        return Finding(what, "its beginning", _said(error), stops=False)
    records = begun.records
    bad = [record for record in records if isinstance(record, BadRecord)]
    faults = faults_of(bad)
    wanted = [name for name in names if name not in pool.allow_unread]
    allowed = whole_or_allowed(*wanted[:3])
    wrong = partial(Finding, what, begun.said, stops=False, files=begun.files)
    if not records:
        return wrong(NO_ROWS)
    if len(bad) == len(records):
        remedy = faults.remedy(correct="correct it, or its `columns`", whole=allowed)
        return wrong(f"no row can be used: {faults.summary()}; {remedy}")
    if faults.n_unread and wanted:
        return wrong(f"rows are missing: {faults.unread_summary()}; {allowed}")
    if begun.whole and faults.share(len(records) - len(bad)) > pool.max_quarantined:
        return wrong(
            f"{len(bad)} of {len(records)} rows cannot be used and {pool.max_quarantined:.1%} may:"
            f" {faults.summary()}; correct them, or raise the pool's `max_quarantined`"
        )
    return begun.files


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
