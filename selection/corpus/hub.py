"""The rows of a Hugging Face data set at exactly one revision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from selection.basics.brevity import some_of
from selection.basics.hub_ids import see_that_only_the_hub_has
from selection.chats.turns import without_nulls
from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus.kept_columns import is_kept, row_line, write_schema
from selection.corpus.limits import MAX_BYTES_PER_ROW, MAX_COLUMNS_TOLD
from selection.corpus.records import BadRecord, Record, told_columns
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import NO_FORMAT, formatless, read_row, row_digest

if TYPE_CHECKING:
    from datasets import Features

_COMMIT = re.compile(r"[0-9a-f]{40}")


def read_hub(
    data_set: str | Path,
    *,
    revision: str,
    split: str = "train",
    config: str | None = None,
    columns: ColumnNames = DEFAULT_COLUMNS,
    originals: bool = False,
) -> Iterator[Record | BadRecord]:
    """Stream the rows of a data set; no script of the data set is ever run.

    Parameters
    ----------
    data_set : str or Path
        ``owner/name`` on the hub, or the path of a local folder in the hub's layout.
    revision : str
        For a hub id the full commit hash; a branch or tag would change under the study. A local
        folder has no revisions: the value is recorded by the caller and not looked at here.
    split, config : str
        Which part; the default configuration when None.
    columns : ColumnNames
        The data set's column names; class labels come as their names.
    originals : bool
        Whether records have the row as it came, all columns but images, sounds and the like.

    Returns
    -------
    Iterator of Record or BadRecord
        Origins are ``dataset@revision/split#row``, without the revision for a local folder. Rows of
        more than `MAX_BYTES_PER_ROW` are bad ones.

    Raises
    ------
    ValueError
        The revision is not pinned, the data set, configuration, split or text column is not there,
        or a folder that happens to lie here would be read in place of a hub's data set.
    """
    local = isinstance(data_set, Path)
    dataset_id = str(data_set)
    if not local:
        see_that_only_the_hub_has(dataset_id)
    if not local and not _COMMIT.fullmatch(revision):
        raise ValueError(
            f"data set {dataset_id!r}: revision {revision!r} is not a commit; give the 40 "
            "hexadecimal characters shown under 'Files and versions' on its page"
        )
    name = data_set.resolve().name if local else f"{dataset_id}@{revision[:12]}"
    rules = RowRules(columns, {}, MAX_BYTES_PER_ROW, originals=originals)
    opened = _open(dataset_id, None if local else revision, split, config, rules)
    rows, label_names, told, table = opened
    return chain.from_iterable(
        read_row(
            partial(_named, row, label_names),
            rules,
            origin=f"{name}/{split}#{index}",
            digest=partial(row_digest, row),
            columns=told,
            line=partial(row_line, row),
            table=table,
        )
        for index, row in enumerate(rows)
    )


LabelNames = dict[str, list[str]]
Opened = tuple[Iterator[Mapping[str, object]], LabelNames, tuple[str, ...] | None, str]
"""Rows, the names of their labels, and their columns where the data set says them beforehand."""


def _open(
    dataset_id: str, revision: str | None, split: str, config: str | None, rules: RowRules
) -> Opened:
    import datasets

    try:
        # Streaming reads the files themselves: no cache that could be stale.
        found = datasets.load_dataset(
            dataset_id, name=config, split=split, revision=revision, streaming=True
        )
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(
            f"data set {dataset_id!r} (config {config!r}, split {split!r}, revision {revision!r}) "
            f"cannot be opened: {error}"
        ) from error
    if found.column_names is None:
        return iter(found), {}, None, ""
    # Only the columns asked for: others may be images or sounds, costly to decode.
    wanted = [column for column in found.column_names if column in rules.wanted()]
    asked = {*rules.about.values(), *rules.where}
    fits = rules.fits(wanted)
    absent = asked if fits else {*asked, *rules.named.values()}
    absent -= set(found.column_names)
    if absent:
        raise ValueError(
            f"data set {dataset_id!r}: no column {', '.join(map(repr, sorted(absent)))}; "
            f"it has {', '.join(some_of([repr(name) for name in found.column_names]))}"
        )
    if not fits:
        said = formatless(dict.fromkeys(found.column_names), rules)
        raise ValueError(f"data set {dataset_id!r}: {NO_FORMAT}: {said}")
    names: LabelNames = {}
    for column, feature in (found.features or {}).items():
        if column in wanted and isinstance(feature, datasets.ClassLabel):
            names[column] = feature.names
    told = told_columns(tuple(found.column_names[:MAX_COLUMNS_TOLD]))
    kept, table = _kept(found.features) if rules.originals else ([], "")
    beside = [column for column in kept if column not in wanted]
    return iter(found.select_columns([*wanted, *beside])), names, told, table


def _kept(features: Features | None) -> tuple[list[str], str]:
    """Columns that are kept with a row as it came, and the types of all."""
    if features is None:
        return [], ""
    schema = features.arrow_schema
    # What an image or a sound is stored in may be kept; what it is decoded to may not.
    plain = {name for name, feature in features.items() if not hasattr(feature, "decode_example")}
    fields = [f if f.name in plain else pa.field(f.name, pa.binary()) for f in schema]
    return [f.name for f in fields if is_kept(f.type)], write_schema(pa.schema(fields))


def _named(row: Mapping[str, object], names: LabelNames) -> dict[str, object]:
    """Return a row with class labels by name; -1 is how data sets write 'no label'."""
    named = {column: without_nulls(value) for column, value in row.items()}
    for column, labels in names.items():
        label = named[column]
        if isinstance(label, int):
            named[column] = None if label < 0 else labels[label]
    return named
