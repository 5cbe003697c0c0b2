"""Write docs/promises.md from the figures that the tests of the promises left: `make test-all`."""

import json
import sys
from pathlib import Path

from selection.reports.numbers import number
from selection.reports.tables import markdown_table

DOCS = Path(__file__).parent

PROMISES = {
    "P1": (
        "Atomic visibility: whoever reads an artifact sees its old version or its new one, never "
        "a mixture, wherever the writer died.",
        "promises/test_p1_atomic_visibility.py",
    ),
    "P2": (
        "Durable accounting: spend that was acknowledged survives the process and is counted "
        "once; after any number of kills the study is what an undisturbed run makes of it.",
        "promises/test_p2_durable_accounting.py",
    ),
    "P3": (
        "The cap holds: what is settled and what is reserved never exceed it together, over "
        "concurrent runs, retries and crashes.",
        "promises/test_p3_the_cap_holds.py",
    ),
    "P4": (
        "Effectively once: work may be repeated, but the same asset, partition, inputs and code "
        "are published once.",
        "promises/test_p4_effectively_once.py",
    ),
    "P5": (
        "No stale reuse: a result is used again only when content, code, model and parameters "
        "are the same.",
        "selection_assets/test_stale_work.py",
    ),
    "P6": (
        "Determinism: the same inputs select the same rows, whatever the batch size, number of "
        "workers, order of shards or point of resumption.",
        "selection/methods/test_score_blocks.py",
    ),
    "P7": (
        "Corruption is seen: a published file that was changed, cut, swapped or lost is refused "
        "by its name.",
        "promises/test_p7_corruption.py",
    ),
    "P8": (
        "Complete lineage: every checkpoint leads to every row that trained it.",
        "selection_assets/test_lineage.py",
    ),
    "P9": (
        "Unknown commit: when the answer to a write is lost, it is looked up before it is tried "
        "again.",
        "promises/test_p9_unknown_commit.py",
    ),
    "P10": (
        "No zombie: a run that died is failed in bounded time, and what it had reserved becomes "
        "a recorded loss.",
        "promises/test_p10_no_zombie.py",
    ),
}
"""Promise to its wording and to the test that proves it, below `tests/`."""

REFERENCES = {
    "M1": (
        "BM25's scores, and a textbook implementation word by word.",
        "selection/methods/test_methods_bm25.py",
    ),
    "M2": (
        "DSIR's log-ratios and weights, and n-grams counted by hand.",
        "selection/methods/test_methods_dsir.py",
    ),
    "M3": (
        "Perplexity's losses, and an unbatched loop in float64.",
        "selection/methods/perplexity/test_nll.py",
    ),
    "M4": (
        "Gradients of many rows at once, and backward() one row at a time.",
        "selection/methods/gradient/test_row_gradients.py",
    ),
    "M5": (
        "The projection in blocks, and the product with the explicit matrix.",
        "selection/methods/gradient/test_projection_and_adam.py",
    ),
    "M6": (
        "Influence, and what the target's loss does when the model is trained again without the "
        "row (Spearman's rank correlation over rows, of three models).",
        "selection/methods/gradient/test_leave_one_out.py",
    ),
    "M7": (
        "FLOPs that preparations are charged, as a ratio to those that torch's counter counts.",
        "selection/methods/gradient/test_gradient.py",
    ),
}
"""What a method's figures are held against, and the test that does it."""

HEADER = """\
# What the pipeline promises

Each promise has tests of its own, which count what they try: `make test-all` runs all of them and
writes this page. Each figure is that of the last time its promise's tests ran so and ended well; a
promise without figures is not yet measured.
"""

METHODS_HEADER = """
## What the methods are held against

By the same run. A test of a method fails where the two differ by more than it allows.
"""


def page(measured: dict) -> str:
    """The whole page.

    Parameters
    ----------
    measured : promise or reference to its figures, date, device and versions.
    """
    parts = [
        HEADER,
        _table("promise", PROMISES, measured),
        METHODS_HEADER,
        _table("figures, and their reference", REFERENCES, measured),
        *_where(measured),
    ]
    return "\n".join(parts) + "\n"


def _table(what: str, entries: dict[str, tuple[str, str]], measured: dict) -> str:
    rows = [
        [key, wording, f"tests/{path}", _figures(measured.get(key))]
        for key, (wording, path) in entries.items()
    ]
    return markdown_table(["", what, "test", "last measured"], rows)


def _figures(found: dict | None) -> str:
    if not found or not found["figures"]:
        return "no figures yet"
    return "; ".join(
        f"{name.replace('_', ' ')}: {_value(value)}" for name, value in found["figures"].items()
    )


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return number(value) if isinstance(value, int | float) else str(value)


def _where(measured: dict) -> list[str]:
    """One line for each time and place at which figures were taken."""
    places: dict[str, list[str]] = {}
    for promise, found in measured.items():
        versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items())
        places.setdefault(f"{found['date']}, {found['device']}, {versions}", []).append(promise)
    return ["", *(f"- {', '.join(promises)}: {place}." for place, promises in places.items())]


def main(figures: Path) -> None:
    """Write the page."""
    measured = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    (DOCS / "promises.md").write_text(page(measured), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "promises.json")
