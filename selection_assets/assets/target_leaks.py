"""target_leaks[source]: the rows that say what a held-out row of the target says."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.tables import places_of
from selection.config.study import Study
from selection.leaks.held_out import Evidence, HeldOut
from selection.leaks.kinds import EQUAL, NEAR
from selection.leaks.texts import find_leaking_texts
from selection.leaks.vectors import NearEvidence, find_leaking_vectors
from selection_assets.shared.held_out import LEAKS, held_out_rows
from selection_assets.shared.pool_rows import stored_whole_texts
from selection_assets.stage.inputs import of_study, source_embeddings, source_rows
from selection_assets.stage.keys import source_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_target_leaks(study: Study) -> Stage:
    """Build the asset for one study."""
    asked = study.selection.leaks

    @stage(
        key=study_key(study, "target_leaks"),
        campaign=study.name,
        ins={
            "raw_corpus": source_rows(study),
            "corpus_embeddings": source_embeddings(study),
            "target_examples": of_study(study, "target_examples"),
            "target_embeddings": of_study(study, "target_embeddings"),
        },
        parameters={"leaks": asked},
        partitions=source_partitions(study.pool),
        kinds={"python", "numpy"},
    )
    def target_leaks(step: Step) -> Draft:
        """`leaks.parquet`: `LEAKS`, for every method of the study alike."""
        held_out = held_out_rows(step.one("target_examples"))
        evidence = step.once("evidence", lambda: _evidence(held_out, asked.ngram))
        corpus = step.one("raw_corpus")
        row_id = corpus.table("rows.parquet", ["row_id"])["row_id"]
        texts = stored_whole_texts(corpus)
        found: dict[str, tuple[str, str]] = {}
        if asked.near is not None:
            of_target, cosine = step.one("target_embeddings"), asked.near
            near = step.once("near", lambda: _near_evidence(of_target, evidence, cosine))
            found |= _near(row_id, texts, step.one("corpus_embeddings"), near, evidence)
        leaks = find_leaking_texts(texts, evidence, with_runs=asked.ngram is not None)
        for place, kind, number in zip(leaks.place, leaks.kind, leaks.held_out, strict=True):
            found[row_id[int(place)].as_py()] = str(kind), evidence.row_id[number]
        same = pa.chunked_array([[row.row_id for row in held_out]], pa.string())
        is_there = pa.array(places_of(same, row_id) >= 0)
        found |= {row: (EQUAL, row) for row in same.filter(is_there).to_pylist()}
        rows = [
            {"row_id": row, "leak": kind, "leak_of": of}
            for row, (kind, of) in sorted(found.items())
        ]
        kinds = [kind for kind, _ in found.values()]
        return Draft(
            files={"leaks.parquet": pa.Table.from_pylist(rows, schema=LEAKS)},
            rows=len(rows),
            facts={
                "rows_looked_at": len(row_id),
                "held_out_rows": len(held_out),
                **{kind: kinds.count(kind) for kind in sorted(set(kinds))},
            },
        )

    return target_leaks


def _evidence(held_out: list[HeldOut], words: int | None) -> Evidence:
    # Where runs are not looked for, any length will do.
    return Evidence(held_out, words=words or 13)


def _near_evidence(target: Artifact, evidence: Evidence, cosine: float) -> NearEvidence:
    numbers = {row: number for number, row in enumerate(evidence.row_id)}
    rows = target.table("rows.parquet", ["row_id"])["row_id"].to_pylist()
    places = [place for place, row in enumerate(rows) if row in numbers]
    of_rows = np.array([numbers[rows[place]] for place in places], dtype=np.int64)
    return NearEvidence(target.array("vectors.npy")[places], of_rows, evidence, cosine=cosine)


def _near(
    corpus: pa.ChunkedArray,
    texts: Sequence[str],
    embeddings: Artifact,
    near: NearEvidence,
    evidence: Evidence,
) -> dict[str, tuple[str, str]]:
    """Kind and held-out row of each row that is found by its vector; `corpus` are row ids."""
    row_id = embeddings.table("rows.parquet", ["row_id"])["row_id"]
    at = places_of(row_id, corpus)
    leaks = find_leaking_vectors(
        embeddings.array("vectors.npy"), lambda place: texts[int(at[place])], near
    )
    pairs = zip(leaks.place.tolist(), leaks.held_out.tolist(), strict=True)
    return {row_id[place].as_py(): (NEAR, evidence.row_id[number]) for place, number in pairs}
