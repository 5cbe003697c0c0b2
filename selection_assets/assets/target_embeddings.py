"""target_embeddings: a vector for each example of the target."""

import numpy as np
import pyarrow as pa

from selection.basics.words import count_words
from selection.config.study import Study
from selection.embedding.embedder import Embedder, encode
from selection_assets.planning.known_rates import expected_embedding
from selection_assets.shared.embedders import embedding_facts, load_on
from selection_assets.stage.inputs import embedder_model, of_study
from selection_assets.stage.keys import study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step


def build_embeddings(study: Study, name: str, examples: str) -> Stage:
    """Build the asset that embeds the examples of the study's target, or of its contrast."""

    def finds(step: Step) -> tuple[pa.Table, Embedder]:
        rows = step.one("target_examples").table("rows.parquet", ["row_id", "split", "text"])
        return rows, load_on(step.device, step.one("embedder"))

    def expects(step: Step) -> Expected:
        rows, model = step.found
        texts = rows["text"].to_pylist()
        n_words = np.array([count_words(text) for text in texts])
        return expected_embedding(step, model, texts, n_words)

    @stage(
        key=study_key(study, name),
        campaign=study.name,
        ins={
            "target_examples": of_study(study, examples),
            "embedder": embedder_model(study),
        },
        costly=True,
        finds=finds,
        expects=expects,
        payers=[study],
        checks={"every_example_has_a_vector": "No example is unknown to the embedder."},
        kinds={"pytorch", "numpy"},
    )
    def target_embeddings(step: Step) -> Draft:
        """`vectors.npy` (float16, norm one) in the order of `rows.parquet`."""
        rows, model = step.found
        encoded = encode(model, rows["text"].to_pylist())
        return Draft(
            files={
                "vectors.npy": encoded.vectors,
                "rows.parquet": rows.select(["row_id", "split"]).take(pa.array(encoded.kept)),
            },
            rows=len(encoded.kept),
            flops=encoded.flops,
            accountant="detailed",
            facts=embedding_facts(model, encoded),
            checks=[
                Check(
                    "every_example_has_a_vector",
                    len(encoded.kept) == rows.num_rows,
                    {"without_vector": rows.num_rows - len(encoded.kept)},
                )
            ],
        )

    return target_embeddings
