"""Score many rows block by block; blocks that a killed run had finished are not scored again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.basics.whole_files import write_whole
from selection.budget.meter import UNMETERED, Meter
from selection.methods.contract.method import Method
from selection.methods.contract.protocol import Fitted, ScoreInputs, Scores

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 65_536
_FLOPS = b"flops"


@dataclass(frozen=True)
class BlockScores(Scores):
    """Scores of many rows, with the FLOPs of the blocks that an earlier run had finished."""

    resumed_flops: float = 0.0


def score_in_blocks(
    method: Method,
    fitted: Fitted,
    inputs: ScoreInputs,
    *,
    finished: Path,
    block_rows: int = BLOCK_ROWS,
    report: Callable[[int], object] = lambda n: None,
    meter: Meter = UNMETERED,
) -> BlockScores:
    """Score rows as `method.score` does, which does not depend on how they are cut into blocks.

    Parameters
    ----------
    inputs : ScoreInputs
        With all rows.
    finished : Path
        An existing folder for the blocks of these very rows, fit and options; the caller keeps
        one a configuration. Files in it are written whole or not at all.
    block_rows : int
        Rows held and scored at a time.
    report : callable
        Receives the number of rows of each block done.
    meter : Meter
        Charged for each block that is scored here.

    Returns
    -------
    BlockScores
        Of all rows; the FLOPs are those of all blocks, whoever scored them.

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables, resumed_flops = [], 0.0
    rows = inputs.rows
    for start in range(0, max(1, len(rows.row_id)), block_rows):
        file = finished / f"rows_{start:012d}.parquet"
        if not file.is_file():
            block = rows.take(slice(start, start + block_rows))
            scores = method.score(fitted, replace(inputs, rows=block))
            # A block is small, and its FLOPs are known when it is done.
            meter.charge(scores.flops)
            write_whole(file, partial(pq.write_table, _to_table(scores)))
            tables.append(pq.read_table(file))
        else:
            tables.append(pq.read_table(file))
            resumed_flops += _flops_of(tables[-1])
        report(len(tables[-1]))
    flops = sum(_flops_of(table) for table in tables)
    scores = _from_table(pa.concat_tables(tables), flops)
    return BlockScores(scores.score, scores.receipts, flops, resumed_flops)


def _flops_of(block: pa.Table) -> float:
    return float(block.schema.metadata[_FLOPS])


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
