"""<method>_scores[source]: one asset for each method of the registry that a study names."""

from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.methods.contract.cost import ACCOUNTANT
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.score_blocks import BlockScores, score_in_blocks
from selection.reports.plots.scores import score_distributions
from selection_assets.shared.fitted import read_fitted
from selection_assets.shared.pool_rows import read_rows
from selection_assets.shared.preparations import (
    preparation_inputs,
    preparation_key,
    prepared_whole,
)
from selection_assets.shared.target_rows import steering_rows
from selection_assets.stage.inputs import of_study, source_embeddings, source_rows
from selection_assets.stage.keys import source_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step

PICTURED = 20
"""Of a run of more sources none has a picture: it takes longer than the scores of a small one."""


def build_method_scores(study: Study, named: NamedMethod) -> Stage:
    """Build the asset for one method."""
    method, options, costly = named.method, named.options, named.needs_device
    prepared = preparation_inputs(study, named)
    by_source = named.by_source
    if by_source is not None:
        prepared[by_source.asset] = dg.AssetIn(preparation_key(study, named, by_source))
    ins = {
        "raw_corpus": source_rows(study),
        "target_examples": of_study(study, "target_examples"),
        **prepared,
    }
    if method.needs_embeddings:
        ins["corpus_embeddings"] = source_embeddings(study)
        ins["target_embeddings"] = of_study(study, "target_embeddings")
    if named.fit_asset is not None:
        ins["fitted"] = of_study(study, named.fit_asset)
    if costly:
        ins["budget_plan"] = of_study(study, "budget_plan")

    @stage(
        key=study_key(study, named.scores_asset),
        campaign=study.name,
        also_code=[type(method)],
        ins=ins,
        # A method that draws at random gives one ranking a seed of the study.
        parameters={"options": options, "seeds": study.seeds if named.draws_per_seed else []},
        partitions=source_partitions(study.pool),
        checks={"scores_finite": "No score is NaN or infinite."},
        costly=costly,
        metered=True,
        only_after=["budget_plan"] if costly else [],
        payers=[study],
        serves={study.name: frozenset({named.name})},
        kinds={"pytorch"} if costly else {"python"},
    )
    def method_scores(step: Step) -> Draft:
        """`scores.parquet`: row_id, draw, score (higher is better) and the method's receipts."""
        rows = read_rows(
            step.one("raw_corpus"),
            step.maybe("corpus_embeddings"),
            by_source and by_source.features(step.one(by_source.asset)),
        )
        whole = prepared_whole(step, named)
        examples, vectors = step.one("target_examples"), step.maybe("target_embeddings")
        target = step.once("target", lambda: steering_rows(examples, vectors))
        if named.fit_asset is not None:
            fitted = step.once("fitted", lambda: read_fitted(step.one("fitted")))
        else:
            inputs = FitInputs(target, rows.pieces, len(rows), options, seed=0, prepared=whole)
            fitted = method.fit(inputs)
        bar_name = f"score {step.partition}"
        with tqdm(total=len(rows), desc=bar_name, unit="row", leave=False) as bar:
            scores = score_in_blocks(
                method,
                fitted,
                rows,
                ScoreInputs(
                    rows.take(slice(0)), target, options, study.seeds, step.device.name, whole
                ),
                finished=step.work,
                report=bar.update,
                meter=step.meter,
                engine=step.device.engine_with_models if costly else step.device.engine,
            )
        finite = bool(np.isfinite(scores.score).all())
        facts: dict[str, object] = {}
        if finite:
            facts["mean_score"] = scores.score[0].mean()
        if finite and step.n_partitions <= PICTURED:
            picture = score_distributions({step.partition: scores.score[0]}, cutoff=None)
            facts["scores.png"] = picture
        return Draft(
            files={"scores.parquet": _written(scores, rows.row_id, step.work)},
            rows=len(rows),
            flops=scores.flops,
            resumed_flops=scores.resumed_flops,
            accountant=ACCOUNTANT,
            facts=facts,
            checks=[Check("scores_finite", finite)],
        )

    return method_scores


def _written(scores: BlockScores, row_id: pa.ChunkedArray, folder: Path) -> Path:
    """Write one row a candidate and draw, block by block; receipts are the row's, and repeated."""
    file, writer = folder / "scores.parquet", None
    with ExitStack() as opened:
        for draw, score in enumerate(scores.score):
            for some, receipts in scores.receipts():
                told = {
                    "row_id": row_id[some],
                    "draw": np.full(len(score[some]), draw, dtype=np.int16),
                    "score": score[some],
                }
                table = pa.table(
                    {**told, **{name: receipts[name] for name in receipts.schema.names}}
                )
                if writer is None:
                    made = pq.ParquetWriter(file, table.schema, compression="zstd")
                    writer = opened.enter_context(made)
                writer.write_table(table)
    return file
