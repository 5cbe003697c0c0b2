"""The folder of an exported arm: rows, receipts, page, script and configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from selection.export.axolotl import axolotl_config
from selection.export.card import Origins, data_card
from selection.export.files import DataFile, lost_columns, receipts, write_files
from selection.export.formats import Container, ExportFormat
from selection.export.rows import ExportRow, shuffled, usual_format
from selection.export.trl_script import trl_script

CARD = "README.md"
RECEIPTS = "receipts.parquet"
SAID = "said.json"
"""What is said of the files where they are written; a person is told, and needs no file of it."""


@dataclass(frozen=True)
class Bundle:
    """What is exported.

    Attributes
    ----------
    files : name to content, for people.
    how : in which format the rows are, and why.
    notes : what else a person must know.
    n_rows, n_tokens : of all files together.
    """

    files: dict[str, bytes | str | pa.Table]
    how: str
    notes: tuple[str, ...]
    n_rows: int
    n_tokens: int

    def lines(self) -> list[str]:
        """What is said of it where it is written."""
        return [f"{self.n_rows:,} rows of {self.n_tokens:,} tokens, {self.how}", *self.notes]


def make_bundle(
    rows: Sequence[ExportRow],
    origins: Origins,
    *,
    wanted: ExportFormat | None = None,
    container: Container = "jsonl",
    shuffle: int | None = None,
    model: str | None = None,
) -> Bundle:
    """Make the files of an export.

    Parameters
    ----------
    rows : at least one, best first.
    wanted : the format; None: the usual one for these rows.
    shuffle : seed of their order; None: they stay as they are.
    model : that script and configuration train, where they can name one.

    Raises
    ------
    CannotExport
        When the format, or the container, cannot hold some rows.
    """
    how = "as they came" if wanted == "original" else f"written as {wanted}"
    if wanted is None:
        wanted, how = usual_format(rows)
    order = "The order is the rank: the best row comes first."
    if shuffle is not None:
        rows, order = shuffled(rows, shuffle), f"The order is random, by the seed {shuffle}."
    files = write_files(rows, wanted, container)
    lost = lost_columns(rows) if wanted == "original" else []
    configs = {file.name: axolotl_config(file, model=model) for file in files}
    notes = [
        f"axolotl does not read all of {file.name} ({file.format}): there is no configuration for"
        " it; `--format messages` has one"
        for file in files
        if configs[file.name] is None
    ]
    if wanted == "text" and any(row.turns is not None for row in rows):
        notes.append("conversations are texts here: who says what is lost")
    card = data_card(rows, files, origins, how=how, order=order, lost=lost, notes=notes)
    made: dict[str, bytes | str | pa.Table] = {file.name: file.content for file in files}
    made |= {RECEIPTS: receipts(rows), CARD: card}
    for file in files:
        made[_named("train_trl", ".py", file, files)] = trl_script(file, model=model)
        if (config := configs[file.name]) is not None:
            made[_named("axolotl", ".yaml", file, files)] = config
    n_tokens = sum(row.n_tokens for row in rows)
    return Bundle(made, how, tuple(notes), len(rows), n_tokens)


def _named(stem: str, ending: str, file: DataFile, files: Sequence[DataFile]) -> str:
    return f"{stem}{ending}" if len(files) == 1 else f"{stem}-{file.format}{ending}"
