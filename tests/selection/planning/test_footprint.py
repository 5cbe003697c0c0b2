"""What a selection takes grows with the pool, its settings bound it, and it is refused by name."""

from collections.abc import Mapping
from typing import Any

import pytest

from selection.config.study import Study
from selection.methods.embedding.method import METHOD, EmbeddingOptions
from selection.neighbours.turns import MAX_PAIRS
from selection.planning.arms import PoolSize, cost_inputs
from selection.planning.footprint import GB, WORKER, disk_needs, memory_needs, too_large

ALL_STEER = {"train": 0.0, "dev": 1.0, "test": 0.0}
TURNS = {"method": "embedding", "variant": "round_robin"}


def study(methods: Mapping[str, Any]) -> Study:
    return Study.model_validate(
        {
            "name": "s",
            "pool": "p",
            "trains": False,
            "target": {"kind": "files", "path": "t.jsonl", "shares": ALL_STEER},
            "embedder": {"name": "e", "model": {"kind": "static_minilm", "width": 64}},
            "methods": {"random": None} | dict(methods),
            "budgets": [{"rows": 10}],
        }
    )


def size(rows: int, targets: int = 1_000) -> PoolSize:
    return PoolSize(rows, 50 * rows, targets, 1.0, 1.0, width=64)


def peak(
    rows: int, methods: Mapping[str, Any], *, memory_mib: int = 256, workers: int = 2
) -> float:
    text_bytes = 400.0 * rows
    return memory_needs(
        study(methods), size(rows), text_bytes, memory_mib=memory_mib, workers=workers
    )[0].bytes


def test_memory_is_bounded_by_the_settings_that_say_so():
    assert peak(10_000_000, {"length": None}) > peak(100_000, {"length": None})
    assert peak(2_000_000, {"length": None}, memory_mib=8_000) > peak(2_000_000, {"length": None})
    assert peak(10**6, {"m": TURNS | {"depth": 10}}) < peak(10**6, {"m": TURNS})
    assert peak(10**6, {"m": TURNS}, workers=8) - peak(10**6, {"m": TURNS}, workers=2) == 6 * WORKER


@pytest.mark.parametrize("rows", [1_000, 1_000_000, 100_000_000])
def test_turns_keep_what_their_limit_lets_them(rows):
    """And the 64-bit keys that turns are played on are all of what they keep for each pair."""
    options = EmbeddingOptions(variant="round_robin")
    held = METHOD.memory(cost_inputs(size(rows), options))
    pairs = min(MAX_PAIRS, rows * 1_000)
    assert held.less_by == "depth"
    assert 8 * pairs <= held.bytes <= 8 * pairs + 1e9 + 300 * rows


def test_a_machine_that_is_too_small_is_told_which_setting_would_do():
    needs = memory_needs(study({"turns": TURNS}), size(10**6), 4e8, memory_mib=256, workers=4)
    most = needs[0]
    assert most.step == "turns" and needs == sorted(needs, key=lambda need: -need.bytes)
    assert too_large(needs, most.bytes, workers=4) == ""
    slightly = too_large(needs, most.bytes - 1e6, workers=4)
    assert slightly.startswith(f"turns takes about {most.bytes / GB:.1f} GB")
    assert "`engine: {kind: local, workers: 1}`" in slightly
    much = too_large(needs, most.bytes / 2, workers=4)
    assert "engine" not in much and "set a smaller `depth` of turns, or leave turns out" in much


def test_disk_is_that_of_vectors_texts_and_each_draw():
    drawn = Study.model_validate(
        study({"length": None}).model_dump(mode="json") | {"seeds": [0, 1, 2]}
    )
    needs = disk_needs(drawn, size(1_000), 4e5)
    assert needs["random"] == 3 * needs["length"] > 0
    assert needs["vectors"] >= 2 * 64 * 1_000 and needs["rest"] > 4e5
