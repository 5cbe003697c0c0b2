"""Can the first rows of every source of a pool be used?"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice

import pyarrow as pa

from resources.project import resolve
from selection.config.pool import FileSources, HubSource, Pool, SourceSpec
from selection.corpus.faults import faults_of, whole_or_allowed
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.sources import list_sources
from selection_assets.rehearsal.finding import Finding
from selection_assets.shared.faults import NO_ROWS

SAMPLE = 32
"""Rows of each source: a pool may have thousands of them, and each may be large."""

UNREADABLE = (ValueError, OSError, pa.ArrowException)
"""What reading a file or a package raises where nothing of it can be read."""

Reader = Callable[[], Iterator[Record | BadRecord]]


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
    formats: Counter[str] = Counter()
    for spec in pool.sources:
        if isinstance(spec, HubSource) and not fetch:
            away += 1
            others.append(Finding(f"source {spec.name}", f"{spec.dataset}: would be fetched"))
            continue
        for names, read in _readers(pool, spec, unusable):
            found = _look_at(names, read, pool)
            if isinstance(found, Finding):
                others.append(found)
            else:
                usable += 1
                formats += found
    if not usable + away:
        problem = "no source has a usable row, so that there is nothing to select"
        others.append(Finding(f"pool {pool.name}", "its sources", problem, stops=False))
    seen = f"the first {SAMPLE} rows of each of {usable:,}"
    if formats:
        seen += f": {', '.join(name for name, _ in formats.most_common())}"
    return [Finding("sources", seen), *others]


def _readers(
    pool: Pool, spec: SourceSpec, unusable: Collection[str]
) -> Iterator[tuple[list[str], Reader]]:
    """Sources by name; a file that is split by a column is read once for all of its own."""
    listed = list_sources(pool.model_copy(update={"sources": [spec]}), resolve).sources
    left = {name: source for name, source in listed.items() if name not in unusable}
    if isinstance(spec, FileSources) and spec.split_by is not None and left:
        yield list(left), partial(read_path, resolve(spec.path), columns=spec.columns)
        return
    for name, source in left.items():
        yield [name], source.read


def _look_at(names: list[str], read: Reader, pool: Pool) -> Finding | Counter[str]:
    """Say what is wrong with the beginning of sources; where nothing is, rows by their format."""
    more = f" and {len(names) - 1:,} more of its file" if len(names) > 1 else ""
    what = f"source {names[0]}{more}"
    try:
        records = list(islice(read(), SAMPLE))
    except UNREADABLE as error:
        return Finding(what, "its beginning", _said(error), stops=False)
    bad = [record for record in records if isinstance(record, BadRecord)]
    faults = faults_of(bad)
    wanted = [name for name in names if name not in pool.allow_unread]
    allowed = whole_or_allowed(*wanted[:3])
    whole = len(records) < SAMPLE
    seen = f"all {len(records)} rows" if whole else f"the first {SAMPLE} rows"
    if not records:
        return Finding(what, seen, NO_ROWS, stops=False)
    if len(bad) == len(records):
        remedy = faults.remedy(correct="correct it, or its `columns`", whole=allowed)
        return Finding(what, seen, f"no row can be used: {faults.summary()}; {remedy}", stops=False)
    if faults.n_unread and wanted:
        problem = f"rows are missing: {faults.unread_summary()}; {allowed}"
        return Finding(what, seen, problem, stops=False)
    if whole and faults.share(len(records) - len(bad)) > pool.max_quarantined:
        problem = (
            f"{len(bad)} of {len(records)} rows cannot be used and {pool.max_quarantined:.1%} may:"
            f" {faults.summary()}; correct them, or raise the pool's `max_quarantined`"
        )
        return Finding(what, seen, problem, stops=False)
    return Counter(record.format for record in records if isinstance(record, Record))


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
