"""Why has a target too few rows for a split, and what is to be done about that?"""

from __future__ import annotations

from collections.abc import Sequence

from selection.config.targets import DocstringTarget, FileTarget, Target
from selection.corpus.faults import BRING_WHOLE, FIRST, Faults, Reason
from selection.corpus.rows import NO_FORMAT


def too_few(
    spec: Target,
    split: str,
    *,
    found: int,
    wanted: int,
    faults: Faults,
    repeated: Sequence[str],
    name: str = "target",
    by_column: bool = True,
) -> str:
    """Say what was found for a split, why it is not more, and what to do: for each cause its own.

    Parameters
    ----------
    faults : what could not be used.
    repeated : origins of rows whose text stands in another row already.
    name : the study's field, `target` or `contrast`.
    by_column : whether the file says which split a row is of.
    """
    lines = [
        f"the {name} has {found:,} distinct usable rows for split {split!r} and the study asks for"
        f" {wanted:,}"
    ]
    lines += [_of_fault(spec, reason, name) for reason in faults.reasons]
    lines += _of_repeats(spec, repeated)
    unknown = any(part.missing is None for part in faults.unread)  # perhaps all that are wanted
    if len(lines) > 1 and (unknown or found + faults.n_rows + len(repeated) >= wanted):
        return "\n".join(lines)
    match spec:
        case DocstringTarget():
            remedy = (
                f"the package {spec.package!r} has no more passages of {spec.min_words} to"
                f" {spec.max_words} words: lower `{name}.splits`, or widen `{name}.min_words` and"
                f" `{name}.max_words`"
            )
        case FileTarget() if not by_column:
            remedy = (
                f"bring more rows, lower `{name}.splits`, change `{name}.shares`, or set"
                " `trains: false`, so that all rows may steer"
            )
        case FileTarget() if found == 0:
            remedy = f"no row of {spec.path} is of that split: bring some"
        case FileTarget():
            lower = f"lower `{name}.splits.{split}`, or " if spec.splits is not None else ""
            remedy = f"{lower}bring more rows"
    return "\n".join([f"{lines[0]}: {remedy}", *lines[1:]])


def _of_fault(spec: Target, reason: Reason, name: str) -> str:
    remedy = "correct or remove these rows"
    if reason.is_unread:
        remedy = BRING_WHOLE  # to allow that it is unread brings no row
    elif isinstance(spec, FileTarget):
        if reason.kind == "unknown split":
            remedy = "rename it in the file"
        elif reason.kind == "no split":
            remedy = f"or name another column in `{name}.columns.split`"
        elif reason.kind == "no label":
            remedy = f"label these rows, or set `{name}.columns.label` to null"
        elif "column" in reason.kind or reason.kind == NO_FORMAT:
            remedy = f"name the file's columns in `{name}.columns`"
    return f"  {reason}; {remedy}"


def _of_repeats(spec: Target, repeated: Sequence[str]) -> list[str]:
    if not repeated or isinstance(spec, DocstringTarget):
        return []
    return [
        f"  {len(repeated):,} rows, first {', '.join(repeated[:FIRST])}, repeat the text of another"
        " row, and stay in the first of test, dev and train: bring distinct ones"
    ]
