"""Versions of model folders that a study names."""

from pydantic import BaseModel

from resources.project import resolve
from selection.corpus.sources import path_fingerprint


def local_model_version(spec: BaseModel) -> dict[str, str]:
    """Fingerprint of the local folder that a specification names as its model, if it is one.

    A hub's model is pinned by its revision and a built-in one by its package, so that their
    specifications say it all.
    """
    model = getattr(spec, "model", None)
    if model is None or not resolve(model).is_dir():
        return {}
    return {model: path_fingerprint(resolve(model))}
