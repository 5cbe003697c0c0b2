"""base_checkpoint: the model that every arm starts from."""

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.device import Device
from resources.project import resolve
from selection.arms.base import general_sample, pretrained_source, tiny_model
from selection.arms.train import warm_up
from selection.budget.meter import Meter
from selection.config.study import Study, TinyBase
from selection.models.base import load_model, load_tokenizer, save_checkpoint
from selection.models.checkpoints import weights_digest
from selection_assets.base_tokenizer import read_shape
from selection_assets.draft import Check, Draft, emptied
from selection_assets.inputs import of_study, whole_pool
from selection_assets.keys import study_key
from selection_assets.local_models import local_model_version
from selection_assets.pool_rows import iterate_sources
from selection_assets.stage import Stage, stage


def build_base_checkpoint(study: Study) -> Stage:
    """Build the asset for one study."""
    base = study.base_model
    tiny = isinstance(base, TinyBase)

    @stage(
        key=study_key(study, "base_checkpoint"),
        campaign=study.pool,  # making a model is charged to the pool, not to an arm
        group=study.name,
        ins={
            "base_tokenizer": of_study(study, "base_tokenizer"),
            "budget_plan": of_study(study, "budget_plan"),
            **({"raw_corpus": whole_pool(study)} if tiny else {}),
        },
        parameters={"base_model": base, "accountant": study.accountant},
        outside=lambda _: local_model_version(base),
        costly=True,
        only_after=["budget_plan"],
        payers=[study],
        checks={"loads": "The saved safetensors load again to the same weights."},
        kinds={"pytorch", "huggingface"},
    )
    def base_checkpoint(
        context: dg.AssetExecutionContext,
        loaded: dict[str, Any],
        device: Device,
        work: Path,
        meter: Meter,
    ) -> Draft:
        """The folder `checkpoint`; for a model pre-trained here its `rows.parquet` in order."""
        tokenizer = load_tokenizer(loaded["base_tokenizer"].path("tokenizer"))
        facts: dict[str, object] = {}
        rows: dict[str, pa.Table] = {}
        flops = resumed_flops = 0.0
        if isinstance(base, TinyBase):
            sample = general_sample(base, iterate_sources(loaded["raw_corpus"]))
            model = tiny_model(base, len(tokenizer))
            phase = warm_up(
                model,
                tokenizer,
                sample.texts,
                base.training.recipe(seed=base.seed, precision=device.dtype),
                shape=read_shape(loaded["base_tokenizer"]),
                accountant=study.accountant,
                work_dir=work / "training",
                device=device.name,
                progress=True,
                meter=meter,
            )
            flops, resumed_flops = phase.flops, phase.resumed_flops
            rows["rows.parquet"] = pa.table({"row_id": sample.row_id})
            facts = {
                "rows": len(sample.row_id),
                "sources": sample.sources,
                "steps": phase.result.steps,
                "tokens": phase.result.tokens,
                "final_loss": phase.result.final_loss,
            }
        else:
            model = load_model(pretrained_source(base, resolve), revision=base.revision)
        folder = emptied(work / "checkpoint")
        save_checkpoint(model, tokenizer, folder)
        loads = weights_digest(load_model(folder)) == weights_digest(model)
        return Draft(
            files={"checkpoint": folder, "training.json": facts, **rows},
            rows=1,
            flops=flops,
            resumed_flops=resumed_flops,
            accountant=study.accountant,
            facts={"parameters": model.num_parameters(), **facts},
            checks=[Check("loads", loads)],
        )

    return base_checkpoint
