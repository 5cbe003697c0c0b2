"""target_stats: how large, how varied and how far from each source the target is."""

import numpy as np

from resources.store.artifacts import Artifact
from selection.arms.target_stats import MAX_OT_ROWS, describe_target, word_counts, words_found
from selection.basics.draws import keyed_uniform
from selection.config.study import Study
from selection.reports.plots.target import length_histogram, source_distance_bars, spectrum
from selection_assets.shared.pool_rows import iterate_texts
from selection_assets.shared.target_rows import steering_rows
from selection_assets.stage.inputs import of_study, whole_pool, whole_pool_embeddings
from selection_assets.stage.keys import study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_target_stats(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "target_stats"),
        campaign=study.name,
        ins={
            "target_examples": of_study(study, "target_examples"),
            "target_embeddings": of_study(study, "target_embeddings"),
            "raw_corpus": whole_pool(study),
            "corpus_embeddings": whole_pool_embeddings(study),
        },
        payers=[study],
        kinds={"python", "numpy"},
    )
    def target_stats(step: Step) -> Draft:
        """`stats.json` and three pictures."""
        target = steering_rows(step.one("target_examples"), step.one("target_embeddings"))
        assert target.embeddings is not None
        corpus, embeddings = (step.inputs[n] for n in ("raw_corpus", "corpus_embeddings"))
        stats = describe_target(
            target.embeddings,
            target.text,
            target.n_words,
            sources={source: _sample(artifact) for source, artifact in embeddings.items()},
            pool_vocabulary=words_found(
                word_counts(target.text),
                iterate_texts(corpus),
            ),
            seed=0,
        )
        pictures = {
            "row_lengths.png": length_histogram(target.n_words),
            "spectrum.png": spectrum(stats.eigenvalues, stats.effective_rank),
            "source_distances.png": source_distance_bars(stats.distances),
        }
        return Draft(
            files={"stats.json": stats.to_dict(), **pictures},
            rows=stats.n,
            facts={
                "nearest_source": stats.nearest_source,
                "nearest_distance": stats.distances[stats.nearest_source],
                "self_distance": stats.self_distance,
                "effective_rank": stats.effective_rank,
                "words_known_to_pool": stats.token_overlap,
                **pictures,
            },
        )

    return target_stats


def _sample(embeddings: Artifact) -> np.ndarray:
    """As many vectors of a source as are compared, drawn by the rows' ids."""
    vectors = embeddings.array("vectors.npy")
    if len(vectors) <= MAX_OT_ROWS:
        return vectors
    row_id = embeddings.table("rows.parquet", ["row_id"])["row_id"].to_pylist()
    drawn = np.argsort(keyed_uniform(row_id, seed=0, purpose="target stats"), kind="stable")
    return vectors[np.sort(drawn[:MAX_OT_ROWS])]
