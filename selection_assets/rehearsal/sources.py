"""Can the first rows of every source of a pool be used?"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import pyarrow as pa

from resources.project import resolve
from selection.config.pool import FileSources, HubSource, Pool, SourceSpec
from selection.corpus.faults import faults_of
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.sources import list_sources
from selection_assets.rehearsal.finding import Finding

SAMPLE = 32
"""Rows of each source: a pool may have thousands of them, and each may be large."""

UNREADABLE = (ValueError, OSError, pa.ArrowException)
"""What reading a file or a package raises where nothing of it can be read."""

Reader = Callable[[], Iterator[Record | BadRecord]]


def look_at_sources(pool: Pool, *, fetch: bool) -> list[Finding]:
    """Read the beginning of every source.

    Parameters
    ----------
    fetch : whether rows may be fetched from a hub.

    Returns
    -------
    list of Finding
        One for all sources that are as they should be, and one for each other one; what is not
        read at all is listed elsewhere (`not_read`). None stops the study, nor a pool of none but
        bad ones: reading it costs nothing, and leaves the quarantine tables to look at.
    """
    usable, others, away = 0, list[Finding](), 0
    for spec in pool.sources:
        if isinstance(spec, HubSource) and not fetch:
            away += 1
            others.append(Finding(f"source {spec.name}", f"{spec.dataset}: would be fetched"))
            continue
        found = [_look_at(*reader, pool.max_quarantined) for reader in _readers(pool, spec)]
        others += [each for each in found if each is not None]
        usable += found.count(None)
    if not usable + away:
        problem = "no source has a usable row, so that there is nothing to select"
        others.append(Finding(f"pool {pool.name}", "its sources", problem, stops=False))
    return [Finding("sources", f"the first {SAMPLE} rows of each of {usable:,}"), *others]


def _readers(pool: Pool, spec: SourceSpec) -> list[tuple[str, Reader]]:
    """Sources by name; a file that is split by a column is read once for all of its own."""
    listed = list_sources(pool.model_copy(update={"sources": [spec]}), resolve).sources
    if isinstance(spec, FileSources) and spec.split_by is not None and listed:
        return [(spec.path, partial(read_path, resolve(spec.path), columns=spec.columns))]
    return [(name, source.read) for name, source in listed.items()]


def _look_at(name: str, read: Reader, most_bad: float) -> Finding | None:
    """Say what is wrong with the beginning of a source; None where it can be used."""
    what = f"source {name}"
    try:
        records = list(islice(read(), SAMPLE))
    except UNREADABLE as error:
        return Finding(what, "its beginning", _said(error), stops=False)
    bad = [record for record in records if isinstance(record, BadRecord)]
    whole = len(records) < SAMPLE
    seen = f"all {len(records)} rows" if whole else f"the first {SAMPLE} rows"
    if not records:
        return Finding(what, seen, "it has no rows: bring its text, or remove it", stops=False)
    if len(bad) == len(records):
        problem = f"no row can be used: {faults_of(bad).summary()}; correct it, or its `columns`"
        return Finding(what, seen, problem, stops=False)
    if whole and len(bad) / len(records) > most_bad:
        problem = (
            f"{len(bad)} of {len(records)} rows cannot be used and {most_bad:.1%} may:"
            f" {faults_of(bad).summary()}; correct them, or raise the pool's `max_quarantined`"
        )
        return Finding(what, seen, problem, stops=False)
    return None


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
