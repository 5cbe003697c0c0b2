"""contrast_examples and contrast_embeddings: a second target, which rows are to be unlike."""

import dagster as dg
from pydantic import BaseModel

from selection.config.study import Study
from selection.methods.contract.options import wants_contrast
from selection.methods.contract.values import Rows
from selection_assets.shared.target_rows import steering_rows
from selection_assets.stage.inputs import of_study
from selection_assets.stage.step import Step

EXAMPLES, EMBEDDINGS = "contrast_examples", "contrast_embeddings"


def contrast_inputs(study: Study, options: BaseModel) -> dict[str, dg.AssetIn]:
    """What the fit of a method with these options reads of the contrast."""
    if not wants_contrast(options):
        return {}
    return {name: of_study(study, name) for name in (EXAMPLES, EMBEDDINGS)}


def contrast_rows(step: Step) -> Rows | None:
    """The contrast's dev split, where `contrast_inputs` are among the step's inputs."""
    examples = step.maybe(EXAMPLES)
    return None if examples is None else steering_rows(examples, step.one(EMBEDDINGS))
