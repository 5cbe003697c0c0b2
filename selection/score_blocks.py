"""Score many rows block by block; blocks that a killed run had finished are not scored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from selection.methods.protocol import Fitted, Method, Rows, Scores
from selection.whole_files import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 65_536
_FLOPS = b"flops"


def score_in_blocks(
    method: Method,
    fitted: Fitted,
    rows: Rows,
    *,
    target: Rows,
    options: Mapping[str, Any] | BaseModel,
    seeds: Sequence[int],
    device: str | None,
    finished: Path,
    block_rows: int = BLOCK_ROWS,
    report: Callable[[int], object] = lambda n: None,
) -> Scores:
    """Score rows as `method.score` does, which does not depend on how they are cut into blocks.

    Parameters
    ----------
    finished : Path
        An existing folder for the blocks of these very rows, fit and options; the caller keeps
        one a configuration. Files in it are written whole or not at all.
    block_rows : int
        Rows held and scored at a time.
    report : callable
        Receives the number of rows of each block done.

    Returns
    -------
    Scores
        Of all rows; the FLOPs are those of all blocks, whoever scored them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for start in range(0, max(1, len(rows.row_id)), block_rows):
        file = finished / f"rows_{start:012d}.parquet"
        if not file.is_file():
            block = rows.take(slice(start, start + block_rows))
            scores = method.score(
                fitted, block, target=target, options=options, seeds=seeds, device=device
            )
            write_whole(file, partial(pq.write_table, _to_table(scores)))
        tables.append(pq.read_table(file))
        report(len(tables[-1]))
    flops = sum(float(table.schema.metadata[_FLOPS]) for table in tables)
    return _from_table(pa.concat_tables(tables), flops)


def _to_table(scores: Scores) -> pa.Table:
    """One column a draw, named by its number, then the receipts."""
    import pyarrow as pa

    draws = {str(draw): score for draw, score in enumerate(scores.score)}
    table = pa.table({**draws, **scores.receipts})
    return table.replace_schema_metadata({_FLOPS: repr(float(scores.flops))})


def _from_table(table: pa.Table, flops: float) -> Scores:
    draws = [name for name in table.column_names if name.isdecimal()]
    score = np.stack([table[name].to_numpy() for name in draws])
    receipts: dict[str, Any] = {
        name: table[name].combine_chunks() for name in table.column_names if name not in draws
    }
    return Scores(score, receipts, flops)
