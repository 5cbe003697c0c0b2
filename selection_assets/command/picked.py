"""What was picked, from what, at what cost, and why: the ending of a study that only selects."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import inputs_called, totals
from resources.store.artifacts import UNPARTITIONED, Artifact
from selection.arms.distances import distances_to_target
from selection.basics.tables import places_of, rows_where
from selection.config.study import Study
from selection.judging.width import width_text
from selection.leaks.kinds import TARGET_LEAK
from selection.reports.escaping import one_line
from selection.reports.numbers import number
from selection.reports.tables import text_table
from selection.subset.fates import BELOW_CUTOFF, DOES_NOT_FIT, NEAR_DUPLICATE
from selection_assets.command.cap import cap_line
from selection_assets.command.spent import totals_table
from selection_assets.shared.choosing.fates import tells_places, with_row_ids
from selection_assets.shared.pool_rows import pool_vectors
from selection_assets.shared.stored_texts import rows_at
from selection_assets.stage.keys import arm_key

SHOWN_ROWS = 5
"""Rows just chosen, and rows just missed."""
DISTANCE_ROWS = 500
"""Of pool, random rows and rows picked whose distance to the target is measured at most: exact
distances of more rows take seconds, and somebody waits."""

OF_A_ROW = ["row_id", "source", "rank", "margin"]
SHOWN = 100
"""Characters of a row's text."""
SMALL_TARGET = 50
"""Rows of a target under which a few odd ones turn a selection."""


@dataclass(frozen=True)
class Picked:
    """One arm of a study with the pool that it was selected from.

    Attributes
    ----------
    subset : of the arm.
    """

    study: Study
    ledger: Ledger
    subset: Artifact
    method: str
    budget: str

    @cached_property
    def fates(self) -> pa.Table:
        """What became of every candidate in the first draw, `FATES`."""
        return rows_where(self.subset.table("fates.parquet"), "draw", 0)

    @cached_property
    def chosen(self) -> pa.Table:
        """The rows selected in the first draw, best first."""
        rows = rows_where(self.subset.table("subset.parquet"), "draw", 0)
        return rows.sort_by([("rank", "ascending")])

    @cached_property
    def corpus(self) -> dict[str, Artifact]:
        """The rows that the subset was selected from, by source: today's may be others."""
        return inputs_called(self.ledger, self.subset, "raw_corpus")

    def count(self, fate: str) -> int:
        """Candidates of a fate."""
        return int((self.fates["fate"].to_numpy() == fate).sum())


def picked_text(study: Study, ledger: Ledger, recomputed: str, not_read: str = "") -> str:
    """Lay out every arm but random's: what was picked, its price, and its reasons.

    Parameters
    ----------
    recomputed, not_read : as in `closing_text`.
    """
    methods = [name for name in study.methods if name != "random"] or ["random"]
    arms = [
        Picked(study, ledger, subset, method, budget.key)
        for method in methods
        for budget in study.budgets
        if (subset := _subset(study, ledger, method, budget.key)) is not None
    ]
    spent = [total for total in totals(ledger) if total["campaign"] in {study.name, study.pool}]
    parts = [
        *(part for arm in arms for part in _arm(arm)),
        "spent so far, each step charged once, to whose work it is",
        totals_table(spent),
        cap_line(study, ledger),
        not_read,
        recomputed,
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def _subset(study: Study, ledger: Ledger, method: str, budget: str) -> Artifact | None:
    found = ledger.current(f"{study.name}/selected_subset", arm_key(method, budget))
    # An arm that cannot run any more keeps the subset that an earlier version of this program made.
    return found if found is not None and tells_places(found) else None


def _arm(arm: Picked) -> Iterator[str]:
    rows, tokens = arm.chosen.num_rows, _sum(arm.chosen["n_tokens"])
    yield (
        f"{arm.study.name}: {arm.method} at {arm.budget} picked {rows:,} of"
        f" {arm.fates.num_rows:,} rows ({tokens:,} of {_sum(arm.fates['n_tokens']):,} tokens)"
    )
    yield _sources(arm)
    yield _quarantine(arm)
    yield _certificate(arm)
    yield _distances(arm)
    chosen = arm.chosen.slice(max(0, rows - SHOWN_ROWS)).select(OF_A_ROW)
    missed = rows_where(arm.fates, "fate", BELOW_CUTOFF).sort_by([("rank", "ascending")])
    missed = with_row_ids(missed.slice(0, SHOWN_ROWS), arm.corpus).select(OF_A_ROW)
    ids = pa.concat_tables(
        [rows.select(["row_id", "source"]) for rows in (chosen, missed)], promote_options="default"
    )
    texts = _texts(arm, ids)
    yield f"the last {SHOWN_ROWS} chosen\n{_rows(chosen, texts)}"
    if missed.num_rows:
        yield (
            f"the first {SHOWN_ROWS} missed, and `selection why ROW` says more\n"
            f"{_rows(missed, texts)}"
        )
    yield "\n".join(f"warning: {line}" for line in _warnings(arm))


def _sources(arm: Picked) -> str:
    """Each source's share of the pool and of the subset, with the formats that it came in."""
    rows = []
    total, picked = arm.fates.num_rows, arm.chosen.num_rows
    for source, artifact in arm.corpus.items():
        formats = artifact.table("rows.parquet", ["format"])["format"].value_counts().to_pylist()
        of_pool = rows_where(arm.fates, "source", source).num_rows
        of_subset = rows_where(arm.chosen, "source", source).num_rows
        said = ", ".join(f"{one['values']} {one['counts']:,}" for one in formats)
        shares = [f"{of_pool / total:.1%}", f"{of_subset / max(picked, 1):.1%}"]
        rows.append([source, said, of_pool, of_subset, *shares])
    columns = ["source", "formats and rows", "candidates", "picked", "of pool", "of picked"]
    return text_table(columns, rows)


def _quarantine(arm: Picked) -> str:
    """Rows that could not be used, by reason."""
    found: dict[str, list[Any]] = {}
    for source, artifact in arm.corpus.items():
        for row in artifact.table("quarantine.parquet").to_pylist():
            kind = row["reason"].partition(": ")[0]
            found.setdefault(kind, [0, f"{source}: {one_line(row['origin'])}"])[0] += 1
    if not found:
        return f"no row of {'these sources' if len(arm.corpus) > 1 else 'this source'} was unusable"
    rows = [[kind, count, first] for kind, (count, first) in sorted(found.items())]
    return f"rows that could not be used\n{text_table(['reason', 'listed', 'first'], rows)}"


def _certificate(arm: Picked) -> str:
    """How sure the transport is, where the method has solved one."""
    fit = arm.study.named_methods[arm.method].fit_asset
    fitted = None if fit is None else arm.ledger.current(f"{arm.study.name}/{fit}", UNPARTITIONED)
    facts = {} if fitted is None else fitted.json("facts.json")
    if "pool_residual" not in facts:
        return ""
    overlaps = ", ".join(
        f"{one['overlap']:.1%} of the top {100 * one['top_share']:.3g}%"
        for one in facts["estimated_overlap"]
    )
    return (
        f"certificate: potentials of {facts['n_solved']:,} rows leave a marginal residual of"
        f" {number(facts['pool_residual'])} over all {facts['n_pool']:,}"
        + (f"; they agree on {overlaps}" if overlaps else "")
    )


def _distances(arm: Picked) -> str:
    """How near the target is to the pool, to random rows, and to those picked.

    Nothing for a method that has not embedded the target.
    """
    study = arm.study
    target = arm.ledger.current(f"{study.name}/target_embeddings", UNPARTITIONED)
    examples = arm.ledger.current(f"{study.name}/target_examples", UNPARTITIONED)
    if target is None or examples is None:
        return ""
    steers = [s == "dev" for s in examples.table("rows.parquet", ["split"])["split"].to_pylist()]
    embeddings = inputs_called(arm.ledger, arm.subset, "corpus_embeddings")
    row_id, vectors = pool_vectors(embeddings)
    distance = distances_to_target(
        row_id.to_numpy(),
        vectors,
        set(arm.chosen["row_id"].to_pylist()),
        target.array("vectors.npy")[np.array(steers)],
        max_rows=min(DISTANCE_ROWS, study.evaluation.distance_rows),
    )
    rows = [[distance[kind] for kind in ("pool", "random", "subset")]]
    said = "distance to the target (exact OT by POT, equal numbers of rows)"
    return f"{said}\n{text_table(['pool', 'random', 'picked'], rows)}"


def _rows(rows: pa.Table, texts: Mapping[str, str]) -> str:
    listed = zip(*(rows[name].to_pylist() for name in OF_A_ROW), strict=True)
    return text_table(
        ["row", "source", "rank", "margin", "text"],
        [[row[:12], source, rank, margin, texts[row]] for row, source, rank, margin in listed],
    )


def _texts(arm: Picked, rows: pa.Table) -> dict[str, str]:
    found = {}
    for source in set(rows["source"].to_pylist()):
        corpus = arm.corpus[source]
        place = places_of(rows["row_id"], corpus.table("rows.parquet", ["row_id"])["row_id"])
        file = corpus.path("rows.parquet")
        for row in rows_at(file, ["row_id", "text"], place[place >= 0]).to_pylist():
            found[row["row_id"]] = one_line(row["text"])[:SHOWN]
    return found


def _warnings(arm: Picked) -> Iterator[str]:
    leaked, near = arm.count(TARGET_LEAK), arm.count(NEAR_DUPLICATE)
    if leaked:
        yield (
            f"{leaked:,} rows of the pool say what a held-out row of the target says"
            f" ({_kinds_of_leaks(arm)}); none of them was picked"
        )
    if near:
        yield f"{near:,} near-duplicates of picked rows were passed over"
    examples = arm.ledger.current(f"{arm.study.name}/target_examples", UNPARTITIONED)
    if examples is not None:
        steering = examples.table("rows.parquet", ["split"])["split"].to_pylist().count("dev")
        if steering < SMALL_TARGET:
            yield (
                f"only {steering} rows of the target steer; under {SMALL_TARGET} a few odd ones"
                f" turn the selection, and {width_text(steering)}: bring more if you can"
            )
    spent = arm.subset.json("spent.json")
    if spent["too_long"]:
        yield spent["length_limit"].rstrip(".")
    if arm.count(DOES_NOT_FIT):
        yield (
            f"{arm.count(DOES_NOT_FIT):,} rows were longer than what was left of the budget, and"
            " passed over"
        )
    if spent["underspent"]:
        yield f"{arm.method} at {arm.budget} is underspent: {spent['underspent']}"
    [asked] = [each.rows for each in arm.study.budgets if each.key == arm.budget]
    if asked is None:
        asked = arm.subset.json("arm.json")["row_budget"]
    if asked is not None and arm.chosen.num_rows < asked:
        yield f"{asked:,} rows were asked for, and the pool has no more that may be picked"


def _kinds_of_leaks(arm: Picked) -> str:
    leaks = rows_where(arm.fates, "fate", TARGET_LEAK)["leak"].to_pylist()
    return ", ".join(f"{kind} {count:,}" for kind, count in Counter(leaks).most_common())


def _sum(column: pa.ChunkedArray) -> int:
    return int(column.to_numpy().sum())
