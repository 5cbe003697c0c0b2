"""Which examples of the target train, steer the selection, and evaluate?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from selection.basics.draws import keyed_uniform
from selection.basics.text import count_words, row_id
from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.docstrings import read_docstrings
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.shortfall import Passed, too_few

SPLITS = ("test", "dev", "train")
"""In the order of precedence: a text that stands in two splits stays in the first of these."""

TARGET_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("prompt", pa.string()),
        pa.field("response", pa.string()),
        pa.field("n_words", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class TargetExamples:
    """The target's rows, each in exactly one split.

    Attributes
    ----------
    rows : `TARGET_SCHEMA`, sorted by split and row id.
    n_bad : unusable rows left out.
    n_repeated : rows left out because their text stands in another row or split.
    unseen_labels : labels of the test split that the train split lacks.
    """

    rows: pa.Table
    n_bad: int
    n_repeated: int
    unseen_labels: tuple[str, ...]


def read_target(spec: Target, path: Path | None, *, name: str = "target") -> TargetExamples:
    """Read the target and draw its splits, by a hash of each row and so always the same.

    Parameters
    ----------
    path : where a `FileTarget` lies.
    name : the study's field, `target` or `contrast`.

    Raises
    ------
    ValueError
        When a split has fewer usable rows than asked for, saying why.
    """
    pools: dict[str, dict[str, Record]] = {split: {} for split in SPLITS}
    taken: dict[str, str] = {}
    passed = Passed()
    for record in sorted(_records(spec, path), key=_precedence):
        if isinstance(record, BadRecord):
            passed.bad.append(record)
            continue
        key = row_id(record.text)
        if key in taken:
            passed.repeated.append(record.origin)
        elif isinstance(spec, DocstringTarget):
            taken[key] = "any"
            pools["test"][key] = record
        elif record.split in pools:
            taken[key] = record.split
            pools[record.split][key] = record
        else:
            passed.elsewhere[record.split].append(record.origin)
    sizes = {"test": spec.splits.test, "dev": spec.splits.dev, "train": spec.splits.train}
    if isinstance(spec, DocstringTarget):
        pools = _deal(pools["test"], sizes)
    for split, wanted in sizes.items():
        found = len(pools[split])
        if found < wanted:
            said = too_few(spec, split, found=found, wanted=wanted, passed=passed, name=name)
            raise ValueError(said)
    chosen = {split: _draw(pools[split], sizes[split]) for split in SPLITS}
    train_labels = {record.label for record in chosen["train"].values()}
    test_labels = {record.label for record in chosen["test"].values()}
    unseen = sorted(str(label) for label in test_labels - train_labels)
    return TargetExamples(_table(chosen), len(passed.bad), len(passed.repeated), tuple(unseen))


def _records(spec: Target, path: Path | None) -> Iterator[Record | BadRecord]:
    match spec:
        case DocstringTarget():
            return read_docstrings(spec.package, min_words=spec.min_words, max_words=spec.max_words)
        case FileTarget():
            assert path is not None
            return read_path(path, columns=spec.columns)
        case _:
            assert_never(spec)


def _precedence(record: Record | BadRecord) -> int:
    split = record.split if isinstance(record, Record) else None
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)


def _hash_order(records: dict[str, Record]) -> list[str]:
    draws = keyed_uniform(records, seed=0, purpose="target split")
    return [key for _, key in sorted(zip(draws, records, strict=True))]


def _deal(records: dict[str, Record], sizes: dict[str, int]) -> dict[str, dict[str, Record]]:
    """Cut one set of rows into consecutive splits in hash order."""
    order = iter(_hash_order(records))
    return {
        split: {key: records[key] for _, key in zip(range(sizes[split]), order, strict=False)}
        for split in SPLITS
    }


def _draw(records: dict[str, Record], size: int) -> dict[str, Record]:
    chosen = _hash_order(records)[:size]
    return {key: records[key] for key in sorted(chosen)}


def _table(chosen: dict[str, dict[str, Record]]) -> pa.Table:
    rows = [
        {
            "row_id": key,
            "split": split,
            "text": record.text,
            "label": record.label,
            "prompt": record.prompt,
            "response": record.response,
            "n_words": count_words(record.text),
        }
        for split in sorted(chosen)
        for key, record in chosen[split].items()
    ]
    return pa.Table.from_pylist(rows, schema=TARGET_SCHEMA)
