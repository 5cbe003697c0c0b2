"""Which examples of the target train, steer the selection, and evaluate?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from selection.basics.draws import keyed_uniform
from selection.basics.text import count_words
from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.docstrings import read_docstrings
from selection.corpus.faults import Faults, FaultTally
from selection.corpus.limits import ROW_MEMORY
from selection.corpus.memory import Memory
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.shortfall import too_few
from selection.corpus.target_faults import LabelClash, has_label, label_clashes, target_fault

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
        pa.field("turns", pa.large_string()),
        pa.field("n_words", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class TargetExamples:
    """The target's rows, each in exactly one split.

    Attributes
    ----------
    rows : `TARGET_SCHEMA`, sorted by split and row id.
    n_good : usable rows read, whether drawn or not.
    faults : unusable rows and unread parts, by reason with their first origins.
    n_repeated : rows left out because their text stands in another row or split.
    unseen_labels : labels of the test split that the train split lacks.
    label_clashes : labels that are written in several ways.
    """

    rows: pa.Table
    n_good: int
    faults: Faults
    n_repeated: int
    unseen_labels: tuple[str, ...]
    label_clashes: tuple[LabelClash, ...]


class TooFewRows(ValueError):
    """A split with fewer usable rows than the study asks for; the message says why.

    Attributes
    ----------
    split, found, wanted : which, and how many rows.
    faults : what could not be used of the target.
    """

    def __init__(self, said: str, split: str, found: int, wanted: int, faults: Faults) -> None:
        super().__init__(said)
        self.split, self.found, self.wanted, self.faults = split, found, wanted, faults


def read_target(spec: Target, path: Path | None, *, name: str = "target") -> TargetExamples:
    """Read the target and draw its splits, by a hash of each row and so always the same.

    Parameters
    ----------
    path : where a `FileTarget` lies.
    name : the study's field, `target` or `contrast`.

    Raises
    ------
    TooFewRows
        When a split has fewer usable rows than asked for.
    ValueError
        When the rows take more memory than `ROW_MEMORY`.
    """
    records, faults = _good_and_bad(spec, path)
    pools: dict[str, dict[str, Record]] = {split: {} for split in SPLITS}
    taken: set[str] = set()
    repeated: list[str] = []
    for record in sorted(records, key=_precedence):
        key = record.row_id
        if key in taken:
            repeated.append(record.origin)
        else:
            taken.add(key)
            pools[record.split or "test"][key] = record
    sizes = {"test": spec.splits.test, "dev": spec.splits.dev, "train": spec.splits.train}
    if isinstance(spec, DocstringTarget):
        pools = _deal(pools["test"], sizes)
    for split, wanted in sizes.items():
        found = len(pools[split])
        if found < wanted:
            why = {"faults": faults, "repeated": repeated, "name": name}
            said = too_few(spec, split, found=found, wanted=wanted, **why)
            raise TooFewRows(said, split, found, wanted, faults)
    chosen = {split: _draw(pools[split], sizes[split]) for split in SPLITS}
    train_labels = {record.label for record in chosen["train"].values()}
    test_labels = {record.label for record in chosen["test"].values()}
    unseen = sorted(str(label) for label in test_labels - train_labels)
    return TargetExamples(
        _table(chosen),
        len(records),
        faults,
        len(repeated),
        tuple(unseen),
        label_clashes(records),
    )


def _good_and_bad(spec: Target, path: Path | None) -> tuple[list[Record], Faults]:
    good: list[Record] = []
    tally = FaultTally()
    memory = Memory("the target", "give it fewer rows", ROW_MEMORY)
    for record in _records(spec, path):
        if isinstance(record, BadRecord):
            tally.add(record)
        else:
            memory.keep(record)
            good.append(record)
    if isinstance(spec, DocstringTarget):
        return good, tally.faults()
    labelled = any(map(has_label, good))
    usable: list[Record] = []
    for record in good:
        fault = target_fault(record, spec.columns, SPLITS, labelled=labelled)
        if fault is None:
            usable.append(record)
        else:
            tally.add(fault)
    return usable, tally.faults()


def _records(spec: Target, path: Path | None) -> Iterator[Record | BadRecord]:
    match spec:
        case DocstringTarget():
            return read_docstrings(spec.package, min_words=spec.min_words, max_words=spec.max_words)
        case FileTarget():
            assert path is not None
            return read_path(path, columns=spec.columns)
        case _:
            assert_never(spec)


def _precedence(record: Record) -> int:
    return SPLITS.index(record.split) if record.split else 0


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
            "turns": record.turns,
            "n_words": count_words(record.text),
        }
        for split in sorted(chosen)
        for key, record in chosen[split].items()
    ]
    return pa.Table.from_pylist(rows, schema=TARGET_SCHEMA)
