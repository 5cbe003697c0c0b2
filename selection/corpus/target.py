"""Which examples of the target train, steer the selection, and evaluate?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from selection.basics.words import count_words
from selection.config.targets import DocstringTarget, FileTarget, SplitSizes, Target
from selection.corpus.docstrings import read_docstrings
from selection.corpus.faults import Faults, FaultTally
from selection.corpus.limits import TARGET_MEMORY
from selection.corpus.memory import Memory
from selection.corpus.readers import read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_block import one_by_one
from selection.corpus.shortfall import too_few
from selection.corpus.target_faults import LabelClash, has_label, label_clashes, target_fault
from selection.corpus.target_splits import LEAST, SPLITS, STEERING, deal, draw, in_hash_order

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


LOOKED_AT = 100
"""Rows that show whether a target has a column for its splits."""


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
    by_column : whether a column says which split a row is of; else a hash does.
    """

    rows: pa.Table
    n_good: int
    faults: Faults
    n_repeated: int
    unseen_labels: tuple[str, ...]
    label_clashes: tuple[LabelClash, ...]
    by_column: bool


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


def read_target(
    spec: Target, path: Path | None, *, name: str = "target", trains: bool = True
) -> TargetExamples:
    """Read the target and draw its splits; `path` is where a `FileTarget` lies.

    The rest is as for `draw_target`.
    """
    return draw_target(spec, target_records(spec, path), name=name, trains=trains)


def draw_target(
    spec: Target,
    read: Iterable[Record | BadRecord],
    *,
    name: str = "target",
    trains: bool = True,
) -> TargetExamples:
    """Draw the splits of a target, by a hash of each row and so always the same.

    Parameters
    ----------
    read : all its rows, as `target_records` gives them.
    name : the study's field, `target` or `contrast`.
    trains : whether rows are needed to train on and to evaluate with; those that steer always are.

    Raises
    ------
    TooFewRows
        When a split has fewer usable rows than asked for.
    ValueError
        When the rows take more memory than `TARGET_MEMORY`; when shares are given to a file that
        has a column for its splits.
    """
    records, faults = _good_and_bad(spec, read)
    by_column = any(record.split is not None for record in records)
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
    least = dict(LEAST if trains else STEERING)
    seed = 0
    if isinstance(spec, DocstringTarget):
        pools = _consecutive(pools["test"], _by_split(spec.splits))
    else:
        seed = spec.split_seed
        if not by_column:
            pools = deal(pools["test"], spec, least)
        elif spec.shares is not None:
            raise ValueError(
                f"the rows of {spec.path} say their split in a column, so `{name}.shares` parts"
                f" nothing: remove it, or set `{name}.columns.split` to null to part them anew"
            )
    sizes = None if spec.splits is None else _by_split(spec.splits)
    for split, wanted in (sizes or least).items():
        found = len(pools[split])
        if found < wanted:
            why = {"faults": faults, "repeated": repeated, "name": name, "by_column": by_column}
            said = too_few(spec, split, found=found, wanted=wanted, **why)
            raise TooFewRows(said, split, found, wanted, faults)
    chosen = {s: draw(pools[s], None if sizes is None else sizes[s], seed=seed) for s in SPLITS}
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
        by_column,
    )


def _good_and_bad(spec: Target, read: Iterable[Record | BadRecord]) -> tuple[list[Record], Faults]:
    good: list[Record] = []
    tally = FaultTally()
    memory = Memory("the target", "give it fewer rows", TARGET_MEMORY)
    for record in read:
        if isinstance(record, BadRecord):
            tally.add(record)
        else:
            memory.keep(record)
            good.append(record)
    if isinstance(spec, DocstringTarget):
        return good, tally.faults()
    columns, _ = spec.columns.looked_for()
    labelled = any(map(has_label, good))
    parted = any(record.split is not None for record in good)
    usable: list[Record] = []
    for record in good:
        fault = target_fault(record, columns, SPLITS, labelled=labelled, parted=parted)
        if fault is None:
            usable.append(record)
        else:
            tally.add(fault)
    return usable, tally.faults()


def target_records(spec: Target, path: Path | None) -> Iterator[Record | BadRecord]:
    """Read the rows of a target, usable or not; `path` is where a `FileTarget` lies."""
    match spec:
        case DocstringTarget():
            return read_docstrings(spec.package, min_words=spec.min_words, max_words=spec.max_words)
        case FileTarget():
            assert path is not None
            columns, may_be_absent = spec.columns.looked_for()
            return one_by_one(read_path(path, columns=columns, may_be_absent=may_be_absent))
        case _:
            assert_never(spec)


def is_parted(spec: Target, path: Path) -> bool:
    """Whether the first rows of a target say which split they are of."""
    records = islice(target_records(spec, path), LOOKED_AT)
    return any(isinstance(record, Record) and record.split is not None for record in records)


def _precedence(record: Record) -> int:
    return SPLITS.index(record.split) if record.split else 0


def _by_split(sizes: SplitSizes) -> dict[str, int]:
    return {split: getattr(sizes, split) for split in SPLITS}


def _consecutive(records: dict[str, Record], sizes: dict[str, int]) -> dict[str, dict[str, Record]]:
    """Cut one set of rows into consecutive splits in hash order."""
    order = iter(in_hash_order(list(records), seed=0))
    return {
        split: {key: records[key] for _, key in zip(range(sizes[split]), order, strict=False)}
        for split in SPLITS
    }


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
