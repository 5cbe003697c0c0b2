"""The rows that an arm may select: all of the pool that its method has scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.artifacts import Artifact
from selection.basics.brevity import some_of
from selection.basics.tables import numbered, places_of
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
class Candidates:
    """What one draw of a method has scored.

    Attributes
    ----------
    draw : its number.
    at : int64 of shape (k,), which rows of the pool; the same in every draw.
    score : float64 of shape (k,).
    excluded : object of shape (k,), the reason for which the method leaves a row out; "" where it
        does not.
    """

    draw: int
    at: np.ndarray
    score: np.ndarray
    excluded: np.ndarray


@dataclass(frozen=True)
class CandidatePool:
    """Every row of the pool, whatever it scores: source by source, each in the order of its ids.

    What is read is the same for every arm, and of texts there is none: a pool has millions of rows.

    Attributes
    ----------
    sources : their names, rising.
    starts : int64 of shape (n_sources + 1,), where the rows of each begin.
    files : of each source, with the same rows and their texts.
    row_id : large string of shape (n,): those of many millions of rows take more than 2 GiB.
    order : int64 of shape (n,), numbers of the rows in the order of all ids; copies share one.
    n_tokens : int64 of shape (n,); 1 of a row that cannot be trained on.
    fault : object of shape (n,), the fate of such a row or of one that is too long; "" of others.
    """

    sources: Sequence[str]
    starts: np.ndarray
    files: Sequence[Path]
    row_id: pa.LargeStringArray
    order: np.ndarray
    n_tokens: np.ndarray
    fault: np.ndarray

    def scored(self, scores: Mapping[str, Artifact]) -> list[Candidates]:
        """Give the rows with a score, draw by draw.

        Parameters
        ----------
        scores : source to the scores of one method.

        Raises
        ------
        dagster.Failure
            When a source has no scores.
        """
        missing = sorted(set(self.sources) - set(scores))
        if missing:
            raise dg.Failure(
                f"no scores for {', '.join(some_of(missing))}; materialize them first",
                allow_retries=False,
            )
        parts: dict[int, list[Candidates]] = {}
        for number, source in enumerate(self.sources):
            for part in self._scored_of(number, scores[source]):
                parts.setdefault(part.draw, []).append(part)
        return [_joined(parts[draw]) for draw in sorted(parts)]

    def places(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Say of some rows in which source they are, by its number, and where in its file."""
        source = np.searchsorted(self.starts, at, side="right") - 1
        return source, at - self.starts[source]

    def with_texts(self, at: np.ndarray) -> pa.Table:
        """Read some rows, in their order: row_id, source, text and turns."""
        source, place = self.places(at)
        nothing = np.empty(0, dtype=np.int64)
        parts, read = [rows_at(self.files[0], WHOLE, nothing)], [nothing]
        for which in np.unique(source):
            of_source = np.flatnonzero(source == which)
            parts.append(rows_at(self.files[which], WHOLE, place[of_source]))
            read.append(of_source)
        texts = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(read))))
        names = pa.array(self.sources, pa.string()).take(pa.array(source))
        row_id = self.row_id.take(pa.array(at)).cast(pa.string())
        rows = pa.table({"row_id": row_id, "source": names})
        for name in WHOLE:
            rows = rows.append_column(name, texts[name])
        return rows

    def _scored_of(self, number: int, scores: Artifact) -> list[Candidates]:
        table = _scores(scores)
        start, stop = self.starts[number : number + 2].tolist()
        of_source = self.row_id.slice(start, stop - start)
        row_id = _joined_ids(table["row_id"])
        if row_id.equals(of_source):  # in one draw and all: nothing is to be looked up
            at = np.arange(start, stop)
        else:
            place = places_of(row_id, of_source)
            at = np.where(place < 0, -1, place + start)
        draw, score = table["draw"].to_numpy(), table["score"].to_numpy()
        excluded = table["excluded"].to_numpy()
        parts = []
        for each in np.unique(draw).tolist():
            known = np.flatnonzero((draw == each) & (at >= 0))
            parts.append(Candidates(each, at[known], score[known], excluded[known]))
        return parts


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
    sources = sorted(corpus)
    ids, n_tokens, faults = [pa.chunked_array([], pa.string())], [], []
    for source in sources:
        row_id = corpus[source].table("rows.parquet", ["row_id"])["row_id"]
        counted = read_counted(row_id, tokens[source])
        fault = faults_of(counted, train_on)
        usable = fault == ""
        # A row that cannot be trained on has no tokens, and is not selected.
        n_tokens.append(np.where(usable, counted["n_tokens"].to_numpy(), 1))
        too_long = usable & beyond_limit(counted, limit)
        fault[too_long] = TOO_LONG
        faults.append(fault)
        ids.append(row_id)
    chunks = [chunk for one in ids for chunk in one.chunks]
    joined = _joined_ids(pa.chunked_array(chunks, pa.string()))
    return CandidatePool(
        sources=sources,
        starts=np.cumsum([len(one) for one in ids]),
        files=[corpus[source].path("rows.parquet") for source in sources],
        row_id=joined,
        order=numbered(joined),
        n_tokens=np.concatenate(n_tokens),
        fault=np.concatenate(faults),
    )


def _joined_ids(row_id: pa.ChunkedArray) -> pa.LargeStringArray:
    return row_id.cast(pa.large_string()).combine_chunks()


def _joined(parts: Sequence[Candidates]) -> Candidates:
    columns = ([getattr(part, name) for part in parts] for name in ("at", "score", "excluded"))
    return Candidates(parts[0].draw, *map(np.concatenate, columns))


def _scores(scores: Artifact) -> pa.Table:
    columns = ["row_id", "draw", "score", "excluded"]
    there = set(pq.read_schema(scores.path("scores.parquet")).names)
    table = scores.table("scores.parquet", [name for name in columns if name in there])
    if "excluded" in there:
        return table
    nothing = np.full(table.num_rows, "", dtype=object)
    return table.append_column("excluded", pa.array(nothing, pa.string()))
