"""The rows that an arm may select: all of the pool that its method has scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.artifacts import Artifact
from selection.basics.brevity import some_of
from selection.basics.tables import places_of, rows_where
from selection.config.study import Study
from selection.models.chat_tokens import TrainOn
from selection.subset.fates import TOO_LONG
from selection.subset.lengths import LengthLimit, length_limit
from selection_assets.shared.counted_rows import beyond_limit, faults_of, read_counted
from selection_assets.shared.stored_texts import rows_at
from selection_assets.stage.keys import POOL_TOKENS

WHOLE = ["text", "turns"]
"""Columns of what a row is trained on."""


@dataclass(frozen=True)
class CandidatePool:
    """Every row of the pool, whatever it scores.

    Attributes
    ----------
    of_source : source to its rows: row_id, source, n_tokens, and `fault`, the fate of a row that
        cannot be trained on or is too long ("" of the others).
    files : source to the file that has the same rows with their texts, which is read for those
        that are chosen.
    """

    of_source: Mapping[str, pa.Table]
    files: Mapping[str, Path]

    def scored(self, scores: Mapping[str, Artifact]) -> pa.Table:
        """Give the rows with a score; the same order of rows in every draw.

        Parameters
        ----------
        scores : source to the scores of one method.

        Returns
        -------
        pa.Table
            The pool's columns with draw, score and `excluded`, the reason for which the method
            leaves a row out ("" where it does not).

        Raises
        ------
        dagster.Failure
            When a source has no scores.
        """
        missing = sorted(set(self.of_source) - set(scores))
        if missing:
            raise dg.Failure(
                f"no scores for {', '.join(some_of(missing))}; materialize them first",
                allow_retries=False,
            )
        parts = [_joined(_scores(scores[source]), rows) for source, rows in self.of_source.items()]
        draws = sorted({draw for part in parts for draw in part["draw"].unique().to_pylist()})
        # Sources are in the order of their names, and a source's rows in that of their ids.
        in_order = [rows_where(part, "draw", draw) for draw in draws for part in parts]
        return pa.concat_tables(in_order).unify_dictionaries()

    def with_texts(self, chosen: pa.Table) -> pa.Table:
        """Add text and turns to some rows, in their order."""
        at = chosen["source"].to_numpy()
        nothing = np.empty(0, dtype=np.int64)
        parts, places = [rows_at(next(iter(self.files.values())), WHOLE, nothing)], [nothing]
        for source in np.unique(at):
            place = np.flatnonzero(at == source)
            row_id = chosen["row_id"].take(pa.array(place))
            row = places_of(row_id, self.of_source[source]["row_id"])
            parts.append(rows_at(self.files[source], WHOLE, row))
            places.append(place)
        joined = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(places))))
        after = chosen.schema.get_field_index("source") + 1
        for name in reversed(joined.column_names):
            chosen = chosen.add_column(after, joined.schema.field(name), joined[name])
        return chosen


def limit_of(study: Study) -> LengthLimit:
    """How long a row may be that a study trains on."""
    window = study.base_model.sequence_length if study.trains and study.base_model else None
    return length_limit(study.selection.max_row_tokens, window=window, packing=study.packing)


def candidate_pool(
    inputs: Mapping[str, Mapping[str, Artifact]], train_on: TrainOn, limit: LengthLimit
) -> CandidatePool:
    """Read the rows of all sources, without their texts, and the tokens in them.

    Parameters
    ----------
    inputs : of a step that reads `raw_corpus` and `pool_tokens`.
    """
    corpus, tokens = inputs["raw_corpus"], inputs[POOL_TOKENS]
    of_source, files = {}, {}
    for source in sorted(corpus):
        rows = corpus[source].table("rows.parquet", ["row_id", "source"])
        counted = read_counted(rows["row_id"], tokens[source])
        faults = faults_of(counted, train_on)
        usable = faults == ""
        # A row that cannot be trained on has no tokens, and is not selected.
        n_tokens = np.where(usable, counted["n_tokens"].to_numpy(), 1)
        faults = np.where(usable & beyond_limit(counted, limit), TOO_LONG, faults)
        files[source] = corpus[source].path("rows.parquet")
        at = rows.schema.get_field_index("source")
        rows = rows.set_column(at, "source", rows["source"].dictionary_encode())
        rows = rows.append_column("n_tokens", pa.array(n_tokens))
        fault = pa.array(faults, pa.string()).dictionary_encode()
        of_source[source] = rows.append_column("fault", fault)
    return CandidatePool(of_source, files)


def _scores(scores: Artifact) -> pa.Table:
    columns = ["row_id", "draw", "score", "excluded"]
    there = set(pq.read_schema(scores.path("scores.parquet")).names)
    table = scores.table("scores.parquet", [name for name in columns if name in there])
    if "excluded" in there:
        excluded = table["excluded"].dictionary_encode()
        return table.set_column(table.schema.get_field_index("excluded"), "excluded", excluded)
    return table.append_column("excluded", _nothing(table.num_rows))


def _nothing(n: int) -> pa.DictionaryArray:
    """So many times the empty text."""
    return pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), pa.array([""], pa.string()))


def _joined(scores: pa.Table, rows: pa.Table) -> pa.Table:
    """The rows that are scored, once a draw."""
    if scores["row_id"].equals(rows["row_id"]):  # in one draw and all: nothing is to be looked up
        joined = rows
    else:
        place = places_of(scores["row_id"], rows["row_id"])
        known = np.flatnonzero(place >= 0)
        joined = rows.take(pa.array(place[known]))
        scores = scores.take(pa.array(known))
    for name in ("draw", "score", "excluded"):
        joined = joined.append_column(name, scores[name])
    return joined
