"""finetuned_checkpoint[method x budget]: base, warmed up on the subset, tuned on the target."""

from selection.config.study import Study
from selection_assets.shared.training import train_seeds, training_parameters
from selection_assets.stage.inputs import base_parts, of_study
from selection_assets.stage.keys import arm_partitions, study_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Step


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
        metered=True,
        trains=True,
        payers=[study],
        checks={
            "loads": "Every seed's safetensors load again to the weights that were trained.",
            "loss_finite": "Every seed's last training loss is a finite number.",
            "within_budget": "Each seed's warm-up cost at most what the plan allows.",
        },
        kinds={"pytorch", "huggingface"},
    )
    def finetuned_checkpoint(step: Step) -> Draft:
        """`seed_<n>/` folders, `training.json`; `rows.parquet`: what each seed saw, in order."""
        selected = step.one("selected_subset")
        subset = selected.table("subset.parquet", ["row_id", "draw", "rank", "text", "turns"])
        arm = selected.json("arm.json")
        draft = train_seeds(step, study, study.seeds, subset)
        dearest = max(seed["warm_up_flops"] for seed in draft.facts["seeds"])
        allowed = Check("within_budget", dearest <= arm["training_flops"], {"flops": dearest})
        return Draft(**{**vars(draft), "checks": [*draft.checks, allowed]})

    return finetuned_checkpoint
