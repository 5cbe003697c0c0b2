"""The page of an exported data set: what is in it, where it came from, why, and what was left out.

Its front matter is what the Hugging Face hub and `datasets.load_dataset` read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from selection.export.files import DataFile
from selection.export.rows import ExportRow
from selection.reports.escaping import escape
from selection.reports.tables import Cell, markdown_table
from selection.subset.fates import SELECTED

if TYPE_CHECKING:
    from huggingface_hub import CardData

HUB_LICENCES = frozenset(
    [
        *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause"),
        *("bsd-3-clause", "bsl-1.0", "cc", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0"),
        *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
        *("cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "gpl", "gpl-2.0", "gpl-3.0"),
        *("isc", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "odbl", "odc-by", "pddl", "unlicense"),
        *("wtfpl", "zlib"),
    ]
)
"""Identifiers of the hub's list that rows may name; any other is `other`."""

UNKNOWN = "unknown"
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True, kw_only=True)
class Origins:
    """How rows came to be selected.

    Attributes
    ----------
    study, method, budget : of the arm.
    draw : of the method's rankings, from 0.
    draws : how many it has.
    target : the study's target, as its file says it.
    token_budget, row_budget : tokens, or else rows, that the arm may have.
    fates : what became of all rows that the pool had, by fate.
    versions : what the rows were made from, and by what, to its version.
    """

    study: str
    method: str
    budget: str
    draw: int
    draws: int
    target: Mapping[str, object]
    token_budget: int
    row_budget: int | None
    fates: Mapping[str, int]
    versions: Mapping[str, str] = field(default_factory=dict)


def data_card(
    rows: Sequence[ExportRow],
    files: Sequence[DataFile],
    origins: Origins,
    *,
    how: str,
    order: str,
    lost: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    how : in which format the rows are, and why.
    order : of the rows.
    lost : columns that are not kept.
    notes : what else a reader must know.
    """
    title = f"{origins.study}: {origins.method} at {origins.budget}"
    tokens = sum(row.n_tokens for row in rows)
    said = [
        f"{len(rows):,} rows of {tokens:,} tokens that {origins.method} selected for the target of"
        f" the study {origins.study}, within {_limit(origins)}. They are {how}."
        f" {order}"
    ]
    if origins.draws > 1:
        said[0] += f" They are draw {origins.draw} of {origins.draws} (counted from 0)."
    said[0] = escape(said[0])
    if lost:
        said.append(escape(f"Columns of their files that are not kept: {', '.join(lost)}."))
    said += map(escape, notes)
    parts = [
        f"# {escape(title)}",
        *said,
        "## Files",
        markdown_table(["file", "format", "rows"], [[f.name, f.format, f.rows] for f in files]),
        "`receipts.parquet` has for each row, in the same order, its id, its file and line, its"
        " score, rank, margin, tokens and licence.",
        *tables_of_origins(rows, origins),
    ]
    return _front_matter(title, rows, files) + "\n\n".join(parts) + "\n"


def tables_of_origins(rows: Sequence[ExportRow], origins: Origins) -> list[str]:
    """Where rows came from, under which licences, how they were selected, and what was not."""
    tokens = sum(row.n_tokens for row in rows)
    target = yaml.safe_dump(dict(origins.target), sort_keys=False, allow_unicode=True)
    fates = [[*fate] for fate in Counter(origins.fates).most_common() if fate[0] != SELECTED]
    return [
        "## Sources",
        _shares(rows, "source", "source"),
        "## Licences",
        _shares(rows, "licence", "licence"),
        "## How they were selected",
        markdown_table(
            ["", ""],
            [
                ["method", origins.method],
                ["budget", origins.budget],
                ["at most", _limit(origins)],
                ["tokens", tokens],
                *([["lowest score", min(row.score for row in rows)]] if rows else []),
            ],
        ),
        f"The target:\n\n{_indented(target)}",
        "## What was excluded",
        markdown_table(["fate", "rows"], fates),
        "## Made from",
        markdown_table(["what", "version"], list(origins.versions.items())),
    ]


def licence_field(licences: Sequence[str | None]) -> dict[str, object]:
    """Return the hub's fields for the licences of some rows, of which any may be None."""
    found = sorted({str(licence or UNKNOWN).strip().lower() for licence in licences})
    known = [one for one in found if one in HUB_LICENCES]
    if found in ([UNKNOWN], []):
        return {"license": UNKNOWN}
    if known == found:
        return {"license": known[0] if len(known) == 1 else known}
    return {"license": "other", "license_name": "as-listed", "license_link": "README.md"}


def front_matter(said: CardData) -> str:
    """Return the block that a page begins with."""
    return f"---\n{said.to_yaml()}\n---\n\n"


def with_ledger(card: str, facts: Mapping[str, str]) -> str:
    """Return a page that also says what the ledger has of it: what to its version."""
    return f"{card}\n## In the ledger\n\n{markdown_table(['what', 'is'], list(facts.items()))}\n"


def _front_matter(title: str, rows: Sequence[ExportRow], files: Sequence[DataFile]) -> str:
    from huggingface_hub import DatasetCardData

    size = next((name for most, name in SIZES if len(rows) < most), "n>1M")
    configs: list[dict[str, object]] = []
    for place, file in enumerate(files):
        name = "default" if len(files) == 1 else file.format
        config: dict[str, object] = {
            "config_name": name,
            "data_files": [{"split": "train", "path": file.name}],
        }
        if len(files) > 1 and place == 0:
            config["default"] = True
        configs.append(config)
    matter: dict[str, Any] = {
        "pretty_name": title,
        **licence_field([row.licence for row in rows]),
        "task_categories": ["text-generation"],
        "tags": ["selection-assets"],
        "size_categories": [size],
        "configs": configs,
    }
    return front_matter(DatasetCardData(**matter))


def _shares(rows: Sequence[ExportRow], heading: str, name: str) -> str:
    counted: dict[str, list[int]] = {}
    for row in rows:
        sums = counted.setdefault(getattr(row, name) or "not known", [0, 0])
        sums[0] += 1
        sums[1] += row.n_tokens
    cells: list[list[Cell]] = [[key, *sums] for key, sums in counted.items()]
    cells.sort(key=lambda cell: (-float(cell[2] or 0), str(cell[0])))
    return markdown_table([heading, "rows", "tokens"], cells)


def _indented(text: str) -> str:
    """A block of code, which nothing in the text can end."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _limit(origins: Origins) -> str:
    if origins.row_budget is not None:
        return f"{origins.row_budget:,} rows"
    return f"{origins.token_budget:,} tokens"
