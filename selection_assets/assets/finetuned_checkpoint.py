"""finetuned_checkpoint[method x budget]: base, warmed up on the subset, tuned on the target."""

from pathlib import Path

import dagster as dg

from resources.device import Device
from resources.store.artifacts import Artifact
from selection.budget.meter import Meter
from selection.config.study import Study
from selection_assets.shared.decoders import read_shape
from selection_assets.shared.training import train_seeds, training_parameters
from selection_assets.stage.draft import Check, Draft
from selection_assets.stage.inputs import base_parts, of_study
from selection_assets.stage.keys import arm_partitions, study_key
from selection_assets.stage.stage import Stage, stage


def build_finetuned_checkpoint(study: Study) -> Stage:
    """Build the asset for one study."""

    @stage(
        key=study_key(study, "finetuned_checkpoint"),
        campaign=study.name,
        ins={
            **base_parts(study),
            "selected_subset": of_study(study, "selected_subset"),
            "target_examples": of_study(study, "target_examples"),
        },
        parameters=training_parameters(study, study.seeds),
        partitions=arm_partitions(study),
        costly=True,
        payers=[study],
        checks={
            "loads": "Every seed's safetensors load again to the weights that were trained.",
            "loss_finite": "Every seed's last training loss is a finite number.",
            "within_budget": "Each seed's warm-up cost at most what the plan allows.",
        },
        kinds={"pytorch", "huggingface"},
    )
    def finetuned_checkpoint(
        context: dg.AssetExecutionContext,
        base_checkpoint: Artifact,
        base_tokenizer: Artifact,
        selected_subset: Artifact,
        target_examples: Artifact,
        device: Device,
        work: Path,
        meter: Meter,
    ) -> Draft:
        """`seed_<n>/` folders, `training.json`; `rows.parquet`: what each seed saw, in order."""
        subset = selected_subset.table("subset.parquet", ["row_id", "draw", "rank", "text"])
        arm = selected_subset.json("arm.json")
        draft = train_seeds(
            study,
            study.seeds,
            subset,
            base_checkpoint,
            read_shape(base_tokenizer),
            target_examples,
            device,
            work,
            meter,
        )
        dearest = max(seed["warm_up_flops"] for seed in draft.facts["seeds"])
        allowed = Check("within_budget", dearest <= arm["training_flops"], {"flops": dearest})
        return Draft(**{**vars(draft), "checks": [*draft.checks, allowed]})

    return finetuned_checkpoint
