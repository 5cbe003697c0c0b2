"""What a configuration's file may hold: a valid model, or what is wrong, where, on which line."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from configured import message_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selection.config.pool import Pool
from selection.config.study import Study
from selection.methods import REGISTRY
from selection.reports.escaping import printable

DECODER = {
    "kind": "tiny",
    "width": 96,
    "heads": 4,
    "sequence_length": 64,
    "exclude_sources": ["a"],
    "training": {"epochs": 1, "learning_rate": 0.1},
    "seed": 0,
}
STUDY: dict[str, Any] = {
    "name": "small",
    "pool": "library",
    "target": {
        "kind": "docstrings",
        "package": "http",
        "min_words": 5,
        "max_words": 60,
        "splits": {"train": 4, "dev": 4, "test": 6},
    },
    "contrast": {
        "kind": "files",
        "path": "contrast.csv",
        "columns": {"text": "text", "split": "split"},
        "splits": {"train": 4, "dev": 4, "test": 6},
    },
    "embedder": {
        "name": "own",
        "model": {"kind": "sentence_transformer", "model": "model", "max_tokens": 16},
        "tuning": {"learning_rate": 0.01, "seed": 1},
    },
    "base_model": DECODER,
    "selector": DECODER | {"name": "selector"},
    "methods": {
        "random": None,
        "bm25": {"k1": 1.5},
        "dsir": {"buckets": 100, "smoothing": 1.0},
        "turns": {"method": "embedding", "variant": "round_robin", "depth": 3},
        "gradient": {"dimensions": 64, "seed": 3},
        "ot": {"eps_rel": 0.1, "contrast_weight": 1, "warm_start": True},
        "perplexity": {"seed": 1, "band": "low"},
    },
    "budgets": [0.1, {"flops": 1e12}],
    "seeds": [0, 1],
    "full_data_seeds": [0],
    "cap": {"usd": 20},
    "usd_per_device_hour": 2,
    "warm_up": {"epochs": 1, "batch_size": 4, "lora_rank": 2},
    "selection": {"near_duplicate_cosine": 0.9},
    "evaluation": {"harness": {"tasks": ["one"], "revisions": {"d": "0" * 40}}},
}
POOL: dict[str, Any] = {
    "name": "library",
    "sources": [
        {"kind": "docstrings", "packages": ["email"], "min_words": 8, "max_words": 120},
        {"kind": "files", "path": "rows", "name": "rows", "columns": {"prompt": "p"}},
        {"kind": "drop_folder", "path": "drop"},
        {"kind": "hub", "name": "hub", "dataset": "d", "revision": "0" * 40, "split": "train"},
    ],
    "max_quarantined": 0.05,
}
FILES: dict[str, tuple[type, dict[str, Any]]] = {"study": (Study, STUDY), "pool": (Pool, POOL)}


def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """Where something could be put, at every depth."""
    if at:
        yield at
    parts = value.items() if isinstance(value, dict) else []
    for key, part in [*parts, *(enumerate(value) if isinstance(value, list) else [])]:
        yield from places(part, (*at, key))


def having(content: Any, at: tuple, value: Any) -> Any:
    """A copy of a content with another value at a place."""
    if not at:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[at[0]] = having(copy[at[0]], at[1:], value) if at[1:] else value
    return copy


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 2**31, 2**32, 2**63, 2**64, 2**70, 10**30, 10**400])
    | st.floats()
    | st.sampled_from(["", " ", "1", "true", "nan", "../..", "\x1b[2J", "\ud800", "\u202e", "a\0b"])
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", FILES)
def test_any_value_in_any_field_is_valid_or_an_error_with_file_field_and_line(
    kind, tmp_path, figures
):
    model, content = FILES[kind]
    path = tmp_path / f"{kind}.yaml"
    wanted = list(places(content))
    said = re.compile(rf"{re.escape(str(path))}: (field .+ \(line \d+\)|line \d+)", re.DOTALL)
    tried = {"values": 0, "refused": 0}

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(wanted), VALUES)
    def holds(at, value):
        try:
            text = yaml.dump(having(content, at, value), Dumper=yaml.SafeDumper)
            text.encode()
        except (yaml.YAMLError, UnicodeEncodeError):
            text = json.dumps(having(content, at, str(value)))
        message = message_of(model, path, text)
        tried["values"] += 1
        if message is not None:
            tried["refused"] += 1
            assert all(said.match(line) for line in message.splitlines()), message
            assert printable(message) == message

    holds()
    assert tried["refused"] > 50
    figures.record("P14", settings_tried=tried["values"], settings_refused=tried["refused"])


def _unbounded(schema: Any, at: str) -> Iterator[str]:
    """Parts of a JSON schema that have no end: numbers, texts, lists."""
    if isinstance(schema, list):
        for part in schema:
            yield from _unbounded(part, at)
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if kind in ("integer", "number"):
        least, most = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
        if not all(any(limit in schema for limit in limits) for limits in (least, most)):
            yield at
    if kind == "string" and not {"maxLength", "pattern", "enum", "const"} & schema.keys():
        yield at
    if kind == "array" and "maxItems" not in schema:
        yield at
    for name, part in schema.items():
        yield from _unbounded(part, f"{at}.{name}")


@pytest.mark.parametrize(
    "model", [Study, Pool, *(m.options for m in REGISTRY.values())], ids=lambda m: m.__name__
)
def test_every_number_text_and_list_of_a_configuration_has_an_end(model):
    assert list(_unbounded(model.model_json_schema(), model.__name__)) == []


def study_with(**changes: Any) -> str:
    content = STUDY
    for field, value in changes.items():
        content = having(content, tuple(field.split("__")), value)
    return yaml.safe_dump(content, sort_keys=False)


def own(**options: Any) -> dict[str, Any]:
    return STUDY["methods"] | options


HOLES = {
    "a list for a method's name": ({"methods": own(x={"method": ["a"]})}, "methods.x.method"),
    "a negative seed": ({"seeds": [-1, 0]}, "seeds.0"),
    "a seed of 71 bits": ({"seeds": [2**70, 0]}, "seeds.0"),
    "heads that do not divide the width": ({"base_model__heads": 5}, "base_model.tiny"),
    "true for a share": ({"budgets": [True]}, "budgets.0.share"),
    "true for a number": ({"shared_by": True}, "shared_by"),
    "a text for a number": ({"warm_up__epochs": "3"}, "warm_up.epochs"),
    "a fraction for a count": ({"warm_up__epochs": 3.0}, "warm_up.epochs"),
    "infinite FLOPs": ({"budgets": [{"flops": math.inf}]}, "budgets.0.flops"),
    "an infinite cap": ({"cap": {"flops": math.inf}}, "cap.flops"),
    "no number": ({"warm_up__learning_rate": math.nan}, "warm_up.learning_rate"),
    "more words at least than at most": (
        {"target__min_words": 99, "target__max_words": 9},
        "target.docstrings",
    ),
    "a method's negative seed": (
        {"methods": own(perplexity={"seed": -1})},
        "methods.perplexity.seed",
    ),
    "a method's infinity": ({"methods": own(ot={"eps_rel": math.inf})}, "methods.ot.eps_rel"),
    "a width that takes the machine": ({"base_model__width": 10**9}, "base_model.tiny.width"),
    "sizes that only together take the machine": (
        {"base_model": DECODER | {"width": 16_384, "layers": 256}},
        "base_model.tiny",
    ),
    "a number of a thousand digits": ({"shared_by": 10**1000}, "shared_by"),
    "more epochs than there is time for": ({"warm_up__epochs": 10**12}, "warm_up.epochs"),
    "ten thousand seeds": ({"seeds": list(range(10_000))}, "seeds"),
    "a path of no characters": ({"contrast__path": ""}, "contrast.files.path"),
    "a path with a control character": ({"contrast__path": "a\x1b[2Jb"}, "contrast.path"),
    "a path with a NUL": ({"contrast__path": "a\0b"}, "contrast.path"),
    "a lone surrogate": ({"contrast__path": "\\ud800"}, "contrast.files.path"),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_setting_that_could_not_run_is_refused_when_its_file_is_read(hole, tmp_path, figures):
    changes, field = HOLES[hole]
    path, text = tmp_path / "small.yaml", study_with(**changes)
    if hole == "a lone surrogate":
        text, field = re.sub(r"path: \S+ud800\S*", r'path: "\\ud800"', text), "contrast.path"
    message = message_of(Study, path, text)
    assert message is not None
    lines = text.splitlines()
    line = next(re.finditer(rf"{re.escape(str(path))}: .*line (\d+)", message))
    assert f"field {field} " in message, message
    # The line is one of the part that was changed, or of the mapping that it belongs to.
    assert 1 <= int(line[1]) <= len(lines)
    figures.record("P14", settings_refused=1)


def test_every_wrong_option_of_every_method_is_listed_with_its_line(tmp_path):
    methods = {"random": {}, "ot": {"tol": -1, "eps_rel": 0}, "bm25": {"k1": "much"}}
    text = study_with(methods=methods, contrast=None)
    message = message_of(Study, tmp_path / "small.yaml", text)
    assert message is not None
    lines = text.splitlines()
    for option, value in (("ot.tol", "-1"), ("ot.eps_rel", "0"), ("bm25.k1", "'much'")):
        name = option.rpartition(".")[2]
        line = next(
            n for n, each in enumerate(lines, start=1) if each.strip().startswith(f"{name}:")
        )
        assert f"field methods.{option} (line {line}): " in message
        assert f"is {value}: " in message
