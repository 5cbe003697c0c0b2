"""contrast_examples and contrast_embeddings: a second target, which rows are to be unlike."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection.methods.contract.options import wants_contrast
from selection.methods.contract.values import Rows
from selection_assets.assets.target_embeddings import build_embeddings, steering_rows
from selection_assets.assets.target_examples import build_examples
from selection_assets.stage.inputs import of_study
from selection_assets.stage.stage import Stage

EXAMPLES, EMBEDDINGS = "contrast_examples", "contrast_embeddings"


def contrast_stages(study: Study) -> list[Stage]:
    """Stages of a study's contrast; none without one."""
    if study.contrast is None:
        return []
    return [build_contrast_examples(study), build_embeddings(study, EMBEDDINGS, EXAMPLES)]


def build_contrast_examples(study: Study) -> Stage:
    """Build the asset of the examples of a study's contrast."""
    assert study.contrast is not None, f"study {study.name} has no contrast"
    return build_examples(study, EXAMPLES, study.contrast)


def contrast_inputs(study: Study, options: BaseModel) -> dict[str, dg.AssetIn]:
    """What the fit of a method with these options reads of the contrast."""
    if not wants_contrast(options):
        return {}
    return {name: of_study(study, name) for name in (EXAMPLES, EMBEDDINGS)}


def contrast_rows(loaded: Mapping[str, Any]) -> Rows | None:
    """The contrast's dev split, where `contrast_inputs` are among what is loaded."""
    examples: Artifact | None = loaded.get(EXAMPLES)
    return None if examples is None else steering_rows(examples, loaded[EMBEDDINGS])
