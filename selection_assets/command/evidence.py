"""A method's evidence for its score of a row, as people read it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from selection.reports.numbers import number

NEAREST, NEAREST_LIST = "nearest_target", "nearest_targets"


def target_rows_named(receipts: Mapping[str, Any]) -> set[str]:
    """Row ids of the target's examples that receipts name."""
    named = {receipts[NEAREST]} if NEAREST in receipts else set()
    return named | {near["target"] for near in receipts.get(NEAREST_LIST) or []}


def evidence_lines(receipts: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[str]:
    """One line for the plain figures, and one for each entry of a list.

    Parameters
    ----------
    receipts : a row's, by column of the method's scores.
    texts : beginning of each example of the target that they name.

    Raises
    ------
    TypeError
        For a column of a kind that nobody has said how to read.
    """
    lists = {k: v for k, v in receipts.items() if isinstance(v, Sequence) and not _is_text(v)}
    # The list says the same of the nearest example, and more.
    plain = receipts.keys() - lists.keys() - ({NEAREST} if NEAREST_LIST in lists else set())
    figures = [f"{_words(k)} {_shown(k, receipts[k])}" for k in receipts if k in plain]
    if figures:
        yield ", ".join(figures)
    for name, entries in lists.items():
        yield f"{_words(name)}:" if entries else f"{_words(name)}: none"
        for entry in entries:
            yield f"  {_entry(name, entry, texts)}"


def _entry(column: str, entry: Any, texts: Mapping[str, str]) -> str:
    if not isinstance(entry, Mapping):
        return _shown(column, entry)
    shown = ", ".join(f"{_words(name)} {_shown(column, value)}" for name, value in entry.items())
    text = texts.get(entry.get("target", ""))
    return shown if text is None else f"{shown}: {text}"


def _shown(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, int | float):
        return number(value)
    raise TypeError(
        f"receipt {column!r} holds {type(value).__name__}; evidence shows text, numbers, and lists"
        " of them or of structs of them: give it as one of these"
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)


def _words(name: str) -> str:
    return name.replace("_", " ")
