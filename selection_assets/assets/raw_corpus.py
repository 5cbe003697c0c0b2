"""raw_corpus[source]: the rows of one source, duplicates collapsed, bad rows set aside."""

from collections.abc import Iterator, Sequence

import dagster as dg
from tqdm import tqdm

from resources.paths import resolve
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.faults import whole_or_allowed
from selection.corpus.ingest import ingest
from selection.corpus.limits import MIB
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_block import RowBlock, rows_in
from selection.corpus.sources import find_source
from selection.reports.files_seen import files_table, samples_table
from selection.reports.tables import markdown_table
from selection_assets.shared.faults import (
    FEWER_ROWS,
    NO_ROWS,
    UNREAD,
    fault_facts,
    unread_check,
)
from selection_assets.shared.pool_rows import LOOKED_AT
from selection_assets.stage.keys import pool_key, source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step


def build_raw_corpus(pool: Pool, users: Sequence[Study]) -> Stage:
    """Build the asset for one pool, and for the studies that use it."""
    key = pool_key(pool.name, "raw_corpus")

    @stage(
        key=key,
        campaign=pool.name,
        parameters={
            # When a file is read is no part of what is read.
            "sources": [
                spec.model_dump(mode="json", exclude={"settle_seconds"}) for spec in pool.sources
            ],
            "max_quarantined": pool.max_quarantined,
            "allow_unread": pool.allow_unread,
            "look_at": pool.look_at,
        },
        partitions=source_partitions(pool.name),
        outside=lambda source: {source: find_source(pool, resolve, source).fingerprint()},
        checks={
            "row_count": "It has rows, and did not lose most of them since the version before.",
            "quarantine_share": f"At most {pool.max_quarantined:.1%} of its rows are unusable.",
            "complete": UNREAD,
        },
        payers=users,
        kinds={"python", "parquet"},
    )
    def raw_corpus(step: Step) -> Draft:
        """Rows of one source: `rows.parquet`, and `quarantine.parquet` beside it.

        `originals.parquet` has the rows as they came, in the order in which they were read.
        """
        source = step.partition
        found = find_source(pool, resolve, source)
        files = found.seen_files()
        with tqdm(desc=f"read {source}", unit=" rows", leave=False) as bar:
            corpus = ingest(
                _shown(files.watch(found.read_whole()), bar),
                source=source,
                folder=step.work,
                memory=pool.memory_mib * MIB,
                metadata={LOOKED_AT: pool.look_at},
            )
        share = corpus.faults.n_rows / max(corpus.n_read, 1)
        before = step.workspace.ledger.current(key.to_user_string(), source)
        n_before = before.n_rows("rows.parquet") if before else 0
        least = max(1, int(n_before * (1 - pool.max_shrinkage)))
        return Draft(
            files={
                "rows.parquet": corpus.rows,
                "quarantine.parquet": corpus.quarantine,
                "originals.parquet": corpus.originals,
            },
            rows=corpus.n_rows,
            facts={
                "source": source,
                "words": corpus.n_words,
                "formats": dict(corpus.formats),
                "duplicates_collapsed": corpus.n_duplicates,
                "files": len(files),
                "what_files_hold": dg.MetadataValue.md(markdown_table(*files_table(files))),
                "samples": dg.MetadataValue.md(markdown_table(*samples_table(files))),
                **fault_facts(corpus.faults),
            },
            checks=[
                Check(
                    "row_count",
                    corpus.n_rows >= least,
                    {"rows": corpus.n_rows, "least": least},
                    remedy=FEWER_ROWS if corpus.n_rows else NO_ROWS,
                ),
                Check(
                    "quarantine_share",
                    share <= pool.max_quarantined,
                    {"share": share, "allowed": pool.max_quarantined},
                ),
                unread_check(
                    corpus.faults,
                    allowed=source in pool.allow_unread,
                    remedy=whole_or_allowed(source),
                ),
            ],
        )

    return raw_corpus


def _shown(
    read: Iterator[Record | BadRecord | RowBlock], bar: tqdm
) -> Iterator[Record | BadRecord | RowBlock]:
    for one in read:
        bar.update(rows_in(one))
        yield one
