"""reference_report[line]: what every arm is seen against: untouched, tuned only, full data."""

from dataclasses import asdict

import dagster as dg
import numpy as np
import pyarrow as pa

from resources.store.contents import Content
from selection.basics.draws import keyed_uniform
from selection.basics.tables import places_of
from selection.config.study import Study
from selection.subset.lengths import LengthLimit
from selection_assets.shared.choosing.candidates import candidate_pool, limit_of
from selection_assets.shared.evaluation import evaluate_folders, harness_outside
from selection_assets.shared.held_out import leaking_rows
from selection_assets.shared.training import train_seeds, training_parameters
from selection_assets.stage.inputs import (
    base_parts,
    every_source_of,
    of_study,
    pool_costs,
    whole_pool,
)
from selection_assets.stage.keys import FULL_DATA, REFERENCE_LINES, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_reference_report(study: Study) -> Stage:
    """Build the asset for one study."""
    always = {**base_parts(study), "target_examples": of_study(study, "target_examples")}
    pool = {
        "raw_corpus": whole_pool(study),
        **pool_costs(study),
        "target_leaks": every_source_of(study, "target_leaks"),
    }
    limit = limit_of(study)

    @stage(
        key=study_key(study, "reference_report"),
        campaign=study.name,
        ins={**always, **pool},
        parameters={
            **training_parameters(study, study.seeds),
            "full_data_seeds": study.full_data_seeds,
            "evaluation": study.evaluation,
            "length_limit": asdict(limit),
        },
        partitions=dg.StaticPartitionsDefinition(list(REFERENCE_LINES)),
        reads=lambda line: [*always, *pool] if line == FULL_DATA else list(always),
        outside=lambda _: harness_outside(study),
        costly=True,
        metered=True,
        trains=True,
        payers=[study],
        kinds={"pytorch"},
    )
    def reference_report(step: Step) -> Draft:
        """`report.json`, `examples.parquet`, and the `rows.parquet` that the line trained on."""
        line = step.partition
        flops = resumed_flops = warm_up_flops = 0.0
        rows: dict[str, Content] = {}
        if line == "zero_shot":
            folders = {0: step.one("base_checkpoint").path("checkpoint")}
        else:
            whole = line == FULL_DATA
            seeds = study.full_data_seeds if whole else study.seeds
            subset = _whole_pool(step, study, limit, seeds) if whole else None
            trained = train_seeds(step, study, seeds, subset)
            flops, resumed_flops = trained.flops, trained.resumed_flops
            rows = {name: trained.files[name] for name in trained.files if name == "rows.parquet"}
            warm_up_flops = trained.facts["seeds"][0]["warm_up_flops"]
            folders = {seed: step.work / f"seed_{seed}" for seed in seeds}
        evaluated = evaluate_folders(step, study, folders)
        return Draft(
            files={
                **rows,
                "report.json": {"line": line, "warm_up_flops": warm_up_flops, **evaluated.summary},
                "examples.parquet": evaluated.losses,
            },
            rows=evaluated.losses.num_rows,
            flops=flops + evaluated.flops,
            resumed_flops=resumed_flops,
            accountant=study.accountant,
            facts={"warm_up_flops": warm_up_flops, **evaluated.summary},
        )

    return reference_report


def _whole_pool(step: Step, study: Study, limit: LengthLimit, seeds: list[int]) -> pa.Table:
    """Every distinct row once that an arm could train on, mixed over the sources: one epoch.

    As no arm does, it has no row that leaks a held-out row, that cannot be trained on or that is
    too long.
    """
    pool = candidate_pool(step.inputs, study.train_on, limit)
    leaking = leaking_rows(step.inputs["target_leaks"].values())["row_id"]
    usable = (pool.fault == "") & (places_of(pool.row_id, leaking) < 0)
    rows = pool.with_texts(np.flatnonzero(usable))
    texts = dict(zip(rows["row_id"].to_pylist(), rows["text"].to_pylist(), strict=True))
    said = rows.filter(rows["turns"].is_valid())
    chats = dict(zip(said["row_id"].to_pylist(), said["turns"].to_pylist(), strict=True))
    row_id = np.array(sorted(texts))
    order = np.argsort(keyed_uniform(row_id, seed=seeds[0], purpose="full data"), kind="stable")
    return pa.table(
        {
            "row_id": row_id[order],
            "draw": np.zeros(len(row_id), dtype=np.int16),
            "rank": np.arange(len(row_id)),
            "text": [texts[row] for row in row_id[order]],
            "turns": pa.array([chats.get(row) for row in row_id[order]], pa.large_string()),
        }
    )
