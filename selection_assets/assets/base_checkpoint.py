"""base_checkpoint, selector_checkpoint: a decoder's weights, made or fetched once for a pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import dagster as dg
import pyarrow as pa

from resources.paths import resolve_whole
from selection.arms.base import GeneralSample, general_sample, pretrained_source, tiny_model
from selection.arms.train import warm_up
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.study import Study
from selection.costs import ModelShape
from selection.models.base import load_model, load_tokenizer, save_checkpoint
from selection.models.checkpoints import weights_digest
from selection.models.tokenizer import count_tokens
from selection.planning.workload import pretraining_flops
from selection_assets.planning.known_rates import expected_pretraining
from selection_assets.shared.decoders import Role, read_shape
from selection_assets.shared.local_models import local_model_version
from selection_assets.shared.pool_rows import iterate_whole_pieces
from selection_assets.stage.inputs import whole_pool
from selection_assets.stage.keys import decoder_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step, emptied


def build_checkpoint(pool: str, decoder: Decoder, users: Sequence[Study], *, role: Role) -> Stage:
    """Build the asset for one decoder of a pool, and for the studies that use it.

    Making a model is charged to the pool, not to an arm.
    """
    accountant = users[0].accountant
    tiny = isinstance(decoder, TinyBase)

    def finds(step: Step) -> _Start:
        tokenizer = load_tokenizer(step.one("tokenizer").path("tokenizer"))
        sample = None
        if isinstance(decoder, TinyBase):
            sample = general_sample(
                decoder, lambda: iterate_whole_pieces(step.inputs["raw_corpus"])
            )
        return _Start(tokenizer, read_shape(step.one("tokenizer")), sample)

    def expects(step: Step) -> Expected:
        found: _Start = step.found
        if found.sample is None or not isinstance(decoder, TinyBase):
            return Expected(0.0)
        n_tokens = int(count_tokens(found.tokenizer, found.sample.texts).sum())
        flops = pretraining_flops(decoder, n_tokens, found.shape, accountant)
        if role == "selector":  # no plan has seen it train
            return Expected(flops)
        return expected_pretraining(step, users, flops)

    @stage(
        key=decoder_key(pool, decoder, f"{role}_checkpoint"),
        campaign=pool,
        ins={
            "tokenizer": dg.AssetIn(decoder_key(pool, decoder, f"{role}_tokenizer")),
            **({"raw_corpus": whole_pool(users[0])} if tiny else {}),
        },
        parameters={"model": decoder.model_dump(exclude={"name"}), "accountant": accountant},
        outside=lambda _: local_model_version(decoder),
        costly=True,
        metered=True,
        finds=finds,
        expects=expects,
        payers=users,
        serves={user.name: _readers(user) for user in users} if role == "selector" else {},
        checks={"loads": "The saved safetensors load again to the same weights."},
        kinds={"pytorch", "huggingface"},
    )
    def checkpoint(step: Step) -> Draft:
        """The folder `checkpoint`; for a model pre-trained here its `rows.parquet` in order."""
        found: _Start = step.found
        sample = found.sample
        facts: dict[str, object] = {}
        rows: dict[str, pa.Table] = {}
        flops = resumed_flops = 0.0
        if isinstance(decoder, TinyBase):
            assert sample is not None
            model = tiny_model(decoder, len(found.tokenizer))
            phase = warm_up(
                model,
                found.tokenizer,
                sample.texts,
                decoder.training.recipe(seed=decoder.seed, precision=step.device.dtype),
                shape=found.shape,
                accountant=accountant,
                work_dir=step.work / "training",
                device=step.device.name,
                progress=True,
                meter=step.meter,
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
        elif isinstance(decoder, PretrainedBase):
            model = load_model(pretrained_source(decoder, resolve_whole), revision=decoder.revision)
        else:
            assert_never(decoder)
        folder = emptied(step.work / "checkpoint")
        save_checkpoint(model, found.tokenizer, folder)
        loads = weights_digest(load_model(folder)) == weights_digest(model)
        return Draft(
            files={"checkpoint": folder, "training.json": facts, **rows},
            rows=1,
            flops=flops,
            resumed_flops=resumed_flops,
            accountant=accountant,
            facts={"parameters": model.num_parameters(), **facts},
            checks=[Check("loads", loads)],
        )

    return checkpoint


def _readers(study: Study) -> frozenset[str]:
    """A study's methods that read the pool with the selector."""
    return frozenset(n for n, named in study.named_methods.items() if named.needs_selector)


@dataclass(frozen=True)
class _Start:
    """What training starts from.

    Attributes
    ----------
    sample : what a tiny decoder is pre-trained on; None for one that is only fetched.
    """

    tokenizer: Any
    shape: ModelShape
    sample: GeneralSample | None
