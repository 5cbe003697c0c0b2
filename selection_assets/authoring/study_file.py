"""A study of a pool and a target: one that there is, or the file of a new one."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from selection.config.files import ConfigurationError
from selection.config.study import Study
from selection_assets.authoring.yaml_file import commented

EMBEDDER: dict[str, Any] = {
    "name": "static_minilm",
    "model": {"kind": "static_minilm", "width": 256},
}
"""Reads a row in microseconds, on any processor."""

ALL_STEER = {"train": 0.0, "dev": 1.0, "test": 0.0}
"""Nothing is evaluated, so that nothing has to be held out."""

BUDGETS = [0.025, 0.05]
COMPARED = ("random", "length", "bm25", "dsir", "embedding", "ot")
"""What a study that trains compares until somebody edits it: all that need no selector."""

Fields = Mapping[str, Any]


def selecting(target: Fields, method: str, budget: Fields, model: Fields | None) -> dict[str, Any]:
    """Fields of a study that selects by one method, beside random, and trains nothing."""
    fields = {"target": target, "trains": False, "embedder": EMBEDDER}
    if model is not None:
        fields["base_model"] = model
    methods = dict.fromkeys(["random", method])
    return fields | {"methods": methods, "budgets": [budget]}


def comparing(target: Fields, model: Fields) -> dict[str, Any]:
    """Fields of a study that trains a model on what several methods select."""
    return {
        "target": target,
        "embedder": EMBEDDER,
        "base_model": model,
        "methods": dict.fromkeys(COMPARED),
        "budgets": BUDGETS,
        "seeds": [0, 1, 2],
    }


def study_of(fields: Fields, known: Mapping[str, Study], name: str) -> Study:
    """Return the study that says just this, under whatever name, or one that is to be written.

    Raises
    ------
    ConfigurationError
        When no study can say this.
    """
    try:
        wanted = Study.model_validate({"name": name, **fields})
    except ValidationError as error:
        said = "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"no study can say this: {said}") from error
    for study in known.values():
        if study.model_copy(update={"name": name}) == wanted:
            return study
    return wanted


def study_text(name: str, fields: Fields) -> str:
    """Lay a study out as a file."""
    parts: Sequence[tuple[str, Sequence[str]]] = (
        (
            "What is to be learned. With `shares` rows are parted by a hash of each: dev steers the"
            " selection, train and test are for studies that train.",
            ("target",),
        ),
        (
            "Nothing is trained. Take this line out and name a `base_model` to compare methods by"
            " what a model learns from what they select.",
            ("trains",),
        ),
        ("Turns rows into vectors; pools share their vectors by this name.", ("embedder",)),
        (
            "The model that learns: its tokenizer counts, and its shape says what training costs.",
            ("base_model",),
        ),
        (
            "Every method is held against random. Others: length, bm25, dsir, embedding; with a"
            " `selector` perplexity and gradient; and variants under names of their own, such as"
            " `round_robin: {method: embedding, variant: round_robin}`.",
            ("methods",),
        ),
        (
            "How much to select: `rows`, `rows_share` or `tokens`; with a `base_model`, a total of"
            " FLOPs (`flops`, or a `share` of one epoch's) of which selection is paid too.",
            ("budgets",),
        ),
        ("One training an arm and seed.", ("seeds",)),
    )
    head = ("Which rows of the pool are worth training on?", {"name": name, "pool": fields["pool"]})
    body = [
        (said, {field: fields[field] for field in names})
        for said, names in parts
        if all(field in fields for field in names)
    ]
    return commented([head, *body])
