"""`selection why`: what every arm made of one row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import LedgerRow, current_artifacts
from resources.store.artifacts import UNPARTITIONED, Artifact
from selection.leaks.kinds import IN_WORDS
from selection.reports.escaping import one_line
from selection.reports.tables import text_table
from selection_assets.command.evidence import evidence_lines, target_rows_named
from selection_assets.command.lengths import length_words
from selection_assets.command.row_lineage import (
    find_fates,
    find_quarantined,
    find_rows,
    find_scores,
    find_texts,
)

SHOWN = 200
"""Characters of a row's text."""
FATE_COLUMNS = ("method", "budget", "draw", "fate", "score", "rank", "margin", "duplicate_of")


class NoSuchRow(LookupError):
    """A row id that is unknown, ambiguous or in quarantine; the message says which."""


def find_why(ledger: Ledger, prefix: str, study: str | None) -> dict[str, Any]:
    """Collect a row and its fates.

    Parameters
    ----------
    prefix : a row id or a unique beginning of one.
    study : only its arms; None for every study's.

    Raises
    ------
    NoSuchRow
        When no row, or more than one, or only a row in quarantine answers to it.
    """
    copies = _copies(ledger, prefix)
    row = copies[0]
    subsets = current_artifacts(ledger, "selected_subset")
    if study is not None:
        subsets = [subset for subset in subsets if subset.asset == f"{study}/selected_subset"]
        if not subsets:
            raise NoSuchRow(f"study {study!r} has selected nothing yet")
    by_id = {subset.materialization: subset for subset in subsets}
    told = [fate for fate in find_fates(ledger, row["row_id"]) if fate["subset"] in by_id]
    arms = {id_: by_id[id_].json("arm.json") for id_ in {fate["subset"] for fate in told}}
    methods = {id_: arm["method"] for id_, arm in arms.items()}
    scores = find_scores(ledger, methods, row["row_id"])
    fates = [
        _fate(ledger, by_id[fate["subset"]], arms[fate["subset"]], fate, scores[fate["subset"]])
        for fate in told
    ]
    return {
        "row_id": row["row_id"],
        "text": one_line(row["text"])[:SHOWN],
        "licence": row["licence"],
        "found_in": [
            {
                "pool": copy["asset"].split("/")[0],
                "source": copy["source"],
                "origins": [one_line(origin) for origin in copy["origins"]],
            }
            for copy in copies
        ],
        "fates": fates,
        "target_examples": _target_texts(ledger, fates),
    }


def why_text(found: dict[str, Any]) -> str:
    """Lay out what `find_why` found."""
    about = [["row", found["row_id"]], ["text", found["text"]]]
    about.append(["licence", one_line(found["licence"] or "not known")])
    for place in found["found_in"]:
        origins = ", ".join(place["origins"][:5])
        about.append(["found in", f"{place['pool']}[{place['source']}]: {origins}"])
    parts = [text_table(["", ""], about)]
    fates = found["fates"]
    if not fates:
        return f"{parts[0]}\n\nno arm has decided on this row yet"
    columns = ["study", *FATE_COLUMNS, "checkpoint"]
    parts.append(text_table(columns, [[fate[c] for c in columns] for fate in fates]))
    lengths = "\n".join(fate["in_words"] for fate in fates if fate["in_words"])
    if lengths:
        parts.append(lengths)
    evidence = _evidence(fates, found["target_examples"])
    return "\n\n".join([*parts, *_leaks(fates, found["target_examples"]), *evidence])


def _copies(ledger: Ledger, prefix: str) -> list[LedgerRow]:
    """Return the one row that the prefix names, as each source holds it."""
    wanted = prefix.strip().lower()
    if not re.fullmatch("[0-9a-f]{1,64}", wanted):
        raise NoSuchRow(f"{prefix!r} is not a row id: those are hexadecimal digits")
    found = find_rows(ledger, wanted)
    ids = list(dict.fromkeys(row["row_id"] for row in found))
    if len(ids) > 1:
        some = ", ".join(ids[:5])
        raise NoSuchRow(f"{len(ids)} rows start with {wanted}, among them {some}; give more of it")
    if found:
        return found
    aside = find_quarantined(ledger, wanted)
    if aside:
        first = aside[0]
        raise NoSuchRow(
            f"{wanted} is in quarantine, not in the pool: {one_line(first['origin'])} of source"
            f" {first['source']}: {one_line(first['reason'])}"
        )
    raise NoSuchRow(f"no row of any pool has the id {wanted}")


def _fate(
    ledger: Ledger,
    subset: Artifact,
    arm: Mapping[str, Any],
    fate: LedgerRow,
    scores: Sequence[LedgerRow],
) -> LedgerRow:
    at = fate["draw"], fate["source"]
    receipts = next((s for s in scores if (s["draw"], s["partition"]) == at), {})
    named = {"study": subset.asset.split("/")[0], "method": arm["method"], "budget": arm["budget"]}
    shown = {k: v for k, v in fate.items() if k not in {"asset", "subset"}}
    not_receipts = {"row_id", "draw", "score", "partition"}
    of_row = {k: v for k, v in receipts.items() if k not in not_receipts}
    shown["score"] = receipts.get("score")
    return named | shown | {"receipts": of_row, "in_words": length_words(ledger, subset, arm, fate)}


def _leaks(fates: list[LedgerRow], texts: dict[str, str]) -> Iterator[str]:
    """Why a row is a leak, once a study: it is one for every arm."""
    leaks = {fate["study"]: fate for fate in fates if fate.get("leak")}
    for study, fate in leaks.items():
        kind, held_out = fate["leak"], fate["leak_of"]
        text = texts.get(held_out, "")
        yield _one_line(f"{fate['fate']} in {study}: {IN_WORDS[kind]} ({kind}), {held_out}: {text}")


def _evidence(fates: list[LedgerRow], texts: dict[str, str]) -> Iterator[str]:
    """Each method's evidence once: its scores do not depend on the budget."""
    seen = set()
    for fate in fates:
        arm = (fate["study"], fate["method"], fate["draw"])
        lines = [_one_line(line) for line in evidence_lines(fate["receipts"], texts)]
        if arm in seen or not lines:
            continue
        seen.add(arm)
        draw = f", draw {fate['draw']}" if fate["draw"] else ""
        yield "\n".join([f"{fate['method']} in {fate['study']}{draw}:", *lines])


def _target_texts(ledger: Ledger, fates: list[LedgerRow]) -> dict[str, str]:
    """The beginning of each example of a target that some receipt, or a leak, names."""
    texts: dict[str, str] = {}
    for study in {fate["study"] for fate in fates}:
        named: set[str] = set()
        for fate in fates:
            if fate["study"] == study:
                leak_of = {fate["leak_of"]} if fate.get("leak_of") else set()
                named |= target_rows_named(fate["receipts"]) | leak_of
        target = ledger.current(f"{study}/target_examples", UNPARTITIONED)
        if named and target is not None:
            texts |= find_texts(ledger, target, named)
    return {row_id: one_line(text)[:SHOWN] for row_id, text in texts.items()}


def _one_line(line: str) -> str:
    """A line of evidence, its indentation kept: it may quote a row's text."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line)
