"""Where do a method's preparations lie, and what do its fit and its scores read of them?"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection.methods.contract.named import NamedMethod
from selection.methods.contract.preparation import Preparation
from selection_assets.stage.keys import decoder_key, pool_key, study_key


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


def features_of(
    preparation: Preparation | None, artifacts: Artifact | Mapping[str, Artifact] | None
) -> Any:
    """What a preparation has computed of a source's rows; by source where several are given."""
    if preparation is None or artifacts is None:
        return None
    if isinstance(artifacts, Artifact):
        return preparation.features(artifacts)
    return {source: preparation.features(artifact) for source, artifact in artifacts.items()}
