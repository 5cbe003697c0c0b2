"""Which rows of a target train, which steer the selection, and which evaluate?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from selection.basics.draws import keyed_uniform
from selection.config.targets import FileTarget, SplitShares, Target
from selection.corpus.near_texts import near_groups
from selection.corpus.records import Record

SPLITS = ("test", "dev", "train")
"""In the order of precedence: a text that stands in two splits stays in the first of these."""

LEAST = {"test": 2, "dev": 1, "train": 1}
"""Rows without which nothing can be trained and evaluated."""

STEERING = {"test": 0, "dev": 1, "train": 0}
"""Rows without which nothing can be selected."""

Split = Mapping[str, Record]
"""Row id to the row."""


def deal(
    records: Mapping[str, Record], spec: FileTarget, least: Mapping[str, int]
) -> dict[str, dict[str, Record]]:
    """Part the rows of a target that has no column for that.

    By a seeded hash of each group of near-duplicates: none has members on two sides. A split may
    therefore get some rows more than it asks for.

    Parameters
    ----------
    records : row id to row, all distinct.
    least : of each split, where shares of few rows would leave none.
    """
    ids = sorted(records)
    sizes = _sizes(spec, least, len(ids))
    groups = near_groups([records[key].text for key in ids])
    members: dict[int, list[str]] = {}
    for key, group in zip(ids, groups.tolist(), strict=True):
        members.setdefault(group, []).append(key)
    by_first = {keys[0]: keys for keys in members.values()}
    dealt: dict[str, dict[str, Record]] = {split: {} for split in SPLITS}
    for first in in_hash_order(list(by_first), seed=spec.split_seed):
        short = (split for split in SPLITS if len(dealt[split]) < sizes[split])
        split = next(short, None)
        if split is not None:
            dealt[split] |= {key: records[key] for key in by_first[first]}
    return dealt


def parted_by(spec: Target, *, by_column: bool) -> str:
    """Say in a few words what decides which split a row is of."""
    if isinstance(spec, FileTarget) and by_column:
        return "the column that says it"
    return "a hash of each row" + (", near-duplicates together" * isinstance(spec, FileTarget))


def in_hash_order(keys: Sequence[str], *, seed: int) -> list[str]:
    """Row ids in an order that depends on each of them and the seed alone."""
    draws = keyed_uniform(keys, seed=seed, purpose="target split")
    return [key for _, key in sorted(zip(draws, keys, strict=True))]


def draw(records: Split, size: int | None, *, seed: int) -> dict[str, Record]:
    """So many rows of a split, or all of them, by row id."""
    chosen = in_hash_order(list(records), seed=seed)[:size]
    return {key: records[key] for key in sorted(chosen)}


def _sizes(spec: FileTarget, least: Mapping[str, int], n_rows: int) -> dict[str, int]:
    if spec.splits is not None:
        return spec.splits.model_dump()
    shares = (spec.shares or SplitShares()).model_dump()
    fewest = {split: max(1, least[split]) for split, share in shares.items() if share}
    sizes = {split: max(round(shares[split] * n_rows), few) for split, few in fewest.items()}
    whole = bool(np.isclose(sum(shares.values()), 1.0))
    # What rounding leaves goes where the most rows are, and what it lacks comes from there.
    while sum(sizes.values()) > n_rows and any(sizes[split] > fewest[split] for split in sizes):
        sizes[max(sizes, key=lambda split: sizes[split] - fewest[split])] -= 1
    if whole:
        sizes[max(sizes, key=sizes.__getitem__)] += max(0, n_rows - sum(sizes.values()))
    return dict.fromkeys(SPLITS, 0) | sizes
