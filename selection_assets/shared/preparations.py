"""Where what methods prepare is found, and how it reaches their fits and scores."""

from typing import Any

import dagster as dg

from resources.store.artifacts import Artifact
from selection.config.named_method import NamedMethod
from selection.config.study import Study
from selection.methods.contract.preparation import Preparation
from selection_assets.stage.keys import decoder_key, pool_key, study_key
from selection_assets.stage.step import Step


def preparation_key(study: Study, named: NamedMethod, preparation: Preparation) -> dg.AssetKey:
    """Key of a preparation's asset: the study's, the pool's, or that of a selector over the pool.

    Only what is shared is the pool's; two studies that ask for the same have one asset.
    """
    name = named.asset_of(preparation)
    if not preparation.shared:
        return study_key(study, name)
    if preparation.needs_selector:
        assert study.selector is not None
        return decoder_key(study.pool, study.selector, name)
    return pool_key(study.pool, name)


def preparation_inputs(study: Study, named: NamedMethod) -> dict[str, dg.AssetIn]:
    """What the fit and the scores of a method read of its preparations, by the protocol's names."""
    return {
        p.asset: dg.AssetIn(
            preparation_key(study, named, p),
            partition_mapping=dg.AllPartitionMapping() if p.by_source else None,
        )
        for p in named.preparations
    }


def features_by_source(step: Step, preparation: Preparation | None) -> dict[str, Any] | None:
    """What a preparation has computed of each source's rows, where the method has such a one."""
    if preparation is None:
        return None
    made = step.inputs[preparation.asset]
    return {source: preparation.features(artifact) for source, artifact in made.items()}


def prepared_whole(step: Step, named: NamedMethod) -> dict[str, Artifact]:
    """What a method's preparations that are not by source have made, by their asset's name."""
    return {p.asset: step.one(p.asset) for p in named.preparations if not p.by_source}
