"""The same rows in every container that is read."""

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

Rows = Sequence[dict[str, Any]]

CONTAINERS = ("jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet", "csv", "saved")
TABLES = ("parquet", "saved")
"""Containers of which a column has one type."""


def write_rows(folder: Path, rows: Rows, container: str, *, name: str = "a") -> Path:
    """Write rows as one file, or as the folder of a saved data set."""
    if container == "saved":
        return save_to_disk(folder / name, rows)
    path = folder / f"{name}.{container}"
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    match container:
        case "jsonl":
            path.write_bytes(lines)
        case "jsonl.gz":
            path.write_bytes(gzip.compress(lines))
        case "jsonl.zst":
            path.write_bytes(zstandard.compress(lines))
        case "json":
            path.write_text(json.dumps(list(rows), ensure_ascii=False), encoding="utf-8")
        case "parquet":
            pq.write_table(pa.Table.from_pylist(list(rows)), path)
        case "csv":
            names = list(dict.fromkeys(name for row in rows for name in row))
            with path.open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, names)
                table.writeheader()
                table.writerows({name: _cell(cell) for name, cell in row.items()} for row in rows)
    return path


def save_to_disk(folder: Path, rows: Rows, **splits: Rows) -> Path:
    """Save rows with `datasets`; with splits, as those of a `DatasetDict`."""
    import datasets

    made = {name: datasets.Dataset.from_list(list(some)) for name, some in splits.items()}
    saved = datasets.DatasetDict(made) if splits else datasets.Dataset.from_list(list(rows))
    datasets.disable_progress_bars()
    saved.save_to_disk(folder)
    return folder


def _cell(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
