"""Why has a target too few rows for a split, and what is to be done about that?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.records import BadRecord

FIRST = 3
"""Examples that a message names."""


@dataclass
class Passed:
    """Rows of a target that are in none of its splits, by why.

    Attributes
    ----------
    bad : what could not be used.
    repeated : origins of rows whose text stands in another row already.
    elsewhere : origins of rows by their split, where that is none of the three.
    """

    bad: list[BadRecord] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    elsewhere: dict[str | None, list[str]] = field(default_factory=lambda: defaultdict(list))


def bad_rows(bad: Sequence[BadRecord]) -> str:
    """Each reason with how often it occurs and where first, the most frequent first."""
    counts = Counter(record.kind for record in bad)
    said = []
    for kind, count in counts.most_common():
        first = next(record for record in bad if record.kind == kind)
        said.append(f"{count:,} x {first.reason}, first at {first.origin}")
    return "; ".join(said)


def too_few(
    spec: Target, split: str, *, found: int, wanted: int, passed: Passed, name: str = "target"
) -> str:
    """Say what was found for a split, why it is not more, and what to do: for each cause its own.

    Parameters
    ----------
    name : the study's field, `target` or `contrast`.
    """
    lines = [
        f"the {name} has {found:,} distinct usable rows for split {split!r} and the study asks for"
        f" {wanted:,}"
    ]
    lines += [
        *_of_bad(spec, passed, name),
        *_of_splits(spec, passed, name),
        *_of_repeats(spec, passed),
    ]
    explained = len(passed.bad) + len(passed.repeated) + sum(map(len, passed.elsewhere.values()))
    if len(lines) > 1 and found + explained >= wanted:
        return "\n".join(lines)
    match spec:
        case DocstringTarget():
            remedy = (
                f"the package {spec.package!r} has no more passages of {spec.min_words} to"
                f" {spec.max_words} words: lower `{name}.splits`, or widen `{name}.min_words` and"
                f" `{name}.max_words`"
            )
        case FileTarget() if found == 0:
            remedy = f"no row of {spec.path} is of that split: bring some"
        case FileTarget():
            remedy = f"lower `{name}.splits.{split}`, or bring more rows"
    return "\n".join([f"{lines[0]}: {remedy}", *lines[1:]])


def _of_bad(spec: Target, passed: Passed, name: str) -> list[str]:
    if not passed.bad:
        return []
    kinds = {record.kind for record in passed.bad}
    remedy = "correct or remove these rows"
    if isinstance(spec, FileTarget) and any("column" in kind for kind in kinds):
        remedy = f"name the file's columns in `{name}.columns`"
    elif any(kind.startswith(("unreadable", "corrupt", "truncated")) for kind in kinds):
        remedy = "bring the whole file"
    return [f"  {len(passed.bad):,} rows cannot be used: {bad_rows(passed.bad)}; {remedy}"]


def _of_splits(spec: Target, passed: Passed, name: str) -> list[str]:
    lines = []
    column = spec.columns.split if isinstance(spec, FileTarget) else None
    for split, origins in passed.elsewhere.items():
        rows = f"{len(origins):,} rows, first {', '.join(origins[:FIRST])},"
        if split is None:
            said = f"have nothing in column {column!r}: write train, dev or test there, or name"
            lines.append(f"  {rows} {said} another column in `{name}.columns.split`")
        else:
            said = f"have {split!r} in column {column!r}, which is none of train, dev and test:"
            lines.append(f"  {rows} {said} rename it in the file")
    return lines


def _of_repeats(spec: Target, passed: Passed) -> list[str]:
    if not passed.repeated or isinstance(spec, DocstringTarget):
        return []
    first = ", ".join(passed.repeated[:FIRST])
    return [
        f"  {len(passed.repeated):,} rows, first {first}, repeat the text of another row, and stay"
        " in the first of test, dev and train: bring distinct ones"
    ]
