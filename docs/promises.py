"""Fill the figures that the tests of the promises left into docs/promises.md: `make test-all`.

The page's wording is written by hand; a table's last column and the list at the end are written
here. What the figures do not show, a loss of power, the page says: the tests keep Dagster's SQLite
from waiting for the disk (`tests/helpers/quick_storage.py`).
"""

import json
import re
import sys
from pathlib import Path

from selection.reports.escaping import escape
from selection.reports.numbers import number

DOCS = Path(__file__).parent
PLACES = "\n<!-- When and where the figures were taken. -->\n"
ROW = re.compile(r"^(\| ([PM]\d+) .*\|)[^|]*\|$", re.MULTILINE)
"""A promise or a reference: its key, and all but its last cell."""


def filled(page: str, measured: dict) -> str:
    """Write the figures into the page.

    Parameters
    ----------
    page : Markdown; what is outside of the rows' last cells and before the list stays.
    measured : promise or reference to its figures, date, device and versions.

    Raises
    ------
    ValueError
        There are figures of what the page does not name.
    """
    unknown = measured.keys() - {row[2] for row in ROW.finditer(page)}
    if unknown:
        raise ValueError(f"promises.md has no row for {', '.join(sorted(unknown))}.")
    head = page.partition(PLACES)[0]
    return (
        ROW.sub(lambda row: f"{row[1]} {_figures(measured.get(row[2]))} |", head)
        + "\n".join([PLACES, *_places(measured)])
        + "\n"
    )


def _figures(found: dict | None) -> str:
    if not found or not found["figures"]:
        return "no figures yet"
    return "; ".join(
        escape(f"{name.replace('_', ' ')}: {_value(value)}")
        for name, value in found["figures"].items()
    )


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return number(value) if isinstance(value, int | float) else str(value)


def _places(measured: dict) -> list[str]:
    """One line for each time and place at which figures were taken."""
    places: dict[str, list[str]] = {}
    for promise, found in measured.items():
        versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items())
        places.setdefault(f"{found['date']}, {found['device']}, {versions}", []).append(promise)
    return [f"- {', '.join(promises)}: {place}." for place, promises in places.items()]


def main(figures: Path) -> None:
    """Write the page."""
    measured = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    page = DOCS / "promises.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), measured), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "promises.json")
