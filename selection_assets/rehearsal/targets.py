"""Can the rows of a target be used: does every split have enough, and every row what it needs?"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from resources.paths import resolve
from selection.basics.brevity import some_of
from selection.config.targets import FileTarget, Target
from selection.corpus.faults import Faults, faults_of, whole_or_allowed_target
from selection.corpus.records import BadRecord, Record
from selection.corpus.target import TargetExamples, draw_target, target_records
from selection.corpus.target_faults import has_label
from selection.corpus.target_splits import SPLITS, parted_by
from selection.models.chat_tokens import TrainOn
from selection.models.examples import Example
from selection_assets.rehearsal.finding import Finding
from selection_assets.rehearsal.sources import UNREADABLE

SAMPLE = 20_000
"""Rows: all of nearly every target."""


@dataclass(frozen=True)
class SeenTarget:
    """A target as far as it was read.

    Attributes
    ----------
    records : usable rows that are of a split; of a target read to its end, those that are drawn.
    drawn : whether they are: only then a row that is wrong is one that the study would use.
    """

    findings: list[Finding]
    records: list[Record]
    drawn: bool = False


def look_at_target(name: str, target: Target, *, trains: bool) -> SeenTarget:
    """Read the beginning of a target; where that is all of it, draw its splits too.

    Parameters
    ----------
    name : the study's field, `target` or `contrast`.
    trains : as in `draw_target`.
    """
    try:
        path = resolve(target.path) if isinstance(target, FileTarget) else None
        records = list(islice(target_records(target, path), SAMPLE))
    except UNREADABLE as error:
        return SeenTarget([Finding(name, "its beginning", str(error).strip())], [])
    whole = len(records) < SAMPLE
    seen = f"{'all' if whole else 'the first'} {len(records):,} rows"
    good = [record for record in records if isinstance(record, Record)]
    parted = any(record.split is not None for record in good)
    used = [r for r in good if not parted or r.split in SPLITS]
    if whole:
        problems, drawn = _of_whole(name, target, records, trains=trains)
        if drawn is not None:
            seen += f": {drawn.said}"
            used = [r for r in used if r.row_id in drawn.row_id]
        whole = drawn is not None
    else:
        bad = [record for record in records if isinstance(record, BadRecord)]
        problems = list(_of_beginning(name, target, faults_of(bad), used))
    findings = [Finding(name, seen, problem) for problem in problems] or [Finding(name, seen)]
    return SeenTarget(findings, used, drawn=whole)


def examples_of(records: list[Record], train_on: TrainOn | None) -> Iterator[Example | str]:
    """Rows as the model is trained on them, or why one cannot be; None as methods read them."""
    for record in records:
        try:
            yield Example(
                record.row_id,
                record.text,
                record.label,
                record.prompt,
                record.response,
                None if train_on is None else record.turns,
                train_on or "assistant",
            )
        except ValueError as error:
            yield f"{record.origin}: {str(error).partition(': ')[2]}"


def _of_beginning(name: str, target: Target, faults: Faults, used: list[Record]) -> Iterator[str]:
    """What is wrong with the first rows, of which nobody knows whether they are drawn."""
    yield from _of_unread(name, target, faults)
    unlabelled = [record.origin for record in used if not has_label(record)]
    if unlabelled and len(unlabelled) < len(used):
        yield (
            f"{len(unlabelled):,} of {len(used):,} rows have no label, first {unlabelled[0]}:"
            f" label them, leave them out, or set `{name}.columns.label` to null"
        )
    if not used:
        reasons = faults.summary() or "none is of the split train, dev or test"
        yield f"no row can be used: {reasons}; correct them, or `{name}.columns`"


@dataclass(frozen=True)
class _Drawn:
    """The rows that are drawn, and how many of each split."""

    row_id: set[str]
    said: str

    @classmethod
    def of(cls, target: Target, examples: TargetExamples) -> "_Drawn":
        splits = examples.rows["split"].to_pylist()
        counts = ", ".join(f"{splits.count(split):,} {split}" for split in reversed(SPLITS))
        by = parted_by(target, by_column=examples.by_column)
        return cls(set(examples.rows["row_id"].to_pylist()), f"{counts}, by {by}")


def _of_whole(
    name: str, target: Target, records: list[Record | BadRecord], *, trains: bool
) -> tuple[list[str], _Drawn | None]:
    """What the checks of the asset would say, and the rows that are drawn, if that can be."""
    try:
        examples = draw_target(target, records, name=name, trains=trains)
    except UNREADABLE as error:
        return [str(error)], None
    faults, problems = examples.faults, list[str]()
    if isinstance(target, FileTarget) and faults.share(examples.n_good) > target.max_quarantined:
        remedy = faults.remedy(
            correct=f"correct them, or raise `{name}.max_quarantined`",
            whole=whole_or_allowed_target(name),
        )
        problems.append(f"{faults.n_rows:,} rows cannot be used: {faults.summary()}; {remedy}")
    else:
        problems += _of_unread(name, target, faults)
    clashes = some_of([str(clash) for clash in examples.label_clashes], longest=2_000)
    problems += [
        f"labels are written in several ways: {clash}; write each in one" for clash in clashes
    ]
    return problems, _Drawn.of(target, examples)


def _of_unread(name: str, target: Target, faults: Faults) -> list[str]:
    if isinstance(target, FileTarget) and faults.n_unread and not target.allow_unread:
        return [f"{faults.unread_summary()}; {whole_or_allowed_target(name)}"]
    return []
