"""Score many rows block by block; blocks that a killed run had finished are not scored again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import to_json

from selection.basics.blocks import Block, BlockStore, Charge, compute_in_blocks, stretches
from selection.basics.engine import HERE, Engine
from selection.budget.meter import UNMETERED, Meter
from selection.methods.contract.protocol import Fitted, Method, ScoreInputs, Scores, checked_scores
from selection.methods.contract.values import Rows

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class BlockScores(Scores):
    """Scores of many rows, with the FLOPs of the blocks that an earlier run had finished."""

    resumed_flops: float = 0.0


def score_in_blocks(
    method: Method[Any],
    fitted: Fitted,
    inputs: ScoreInputs[Any],
    *,
    finished: Path,
    block_rows: int = BLOCK_ROWS,
    report: Callable[[int], object] = lambda n: None,
    meter: Meter = UNMETERED,
    engine: Engine = HERE,
) -> BlockScores:
    """Score rows as `method.score` does, which does not depend on how they are cut into blocks.

    Parameters
    ----------
    inputs : ScoreInputs
        With all rows.
    finished : Path
        Folder of the blocks; those of another method, fit, target or other options, seeds or rows
        are not taken. The rows' embeddings and features, and what is prepared, must be the same
        for all that use the folder.
    block_rows : int
        Rows held and scored at a time.
    report : callable
        Receives the number of rows of each block done.
    meter : Meter
        Charged for each block that is scored here: its FLOPs are known when it is done.
    engine : Engine
        Scores blocks; another process gets a block's rows and what the method has learnt.

    Returns
    -------
    BlockScores
        Of all rows; the FLOPs are those of all blocks, whoever scored them.

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept.
    """
    if inputs.prepared and not engine.near:  # files of this machine, which other machines lack
        engine = HERE
    rows = inputs.rows
    given = replace(inputs, rows=rows.take(slice(0, 0)).held())

    def ready(block: Rows) -> Rows:
        return block if engine.here else block.held()

    def score(block: Rows, charge: Charge) -> Block:
        scores = checked_scores(method, fitted, replace(given, rows=block))
        charge(float(scores.flops))
        return _to_block(scores)

    found = compute_in_blocks(
        BlockStore(finished, _made_by(method, fitted, inputs)),
        (ready(rows.take(some)) for some in stretches(len(rows.row_id), block_rows)),
        lambda block: block.row_id.tolist(),
        score,
        charge=meter.charge,
        done=lambda block, resumed: report(len(block.row_id)),
        engine=engine,
    )
    return BlockScores(
        np.ascontiguousarray(found.arrays["score"].T),
        _read_receipts(found.arrays),
        found.flops,
        found.resumed_flops,
    )


def _made_by(method: Method, fitted: Fitted, inputs: ScoreInputs) -> Iterator[str | bytes]:
    yield method.name
    yield to_json(inputs.options)
    yield json.dumps([list(inputs.seeds), fitted.facts], sort_keys=True)
    for name, array in sorted(fitted.arrays.items()):
        yield f"{name} {array.dtype.str} {array.shape}"
        yield array.tobytes()
    yield from inputs.target.row_id.tolist()


def _to_block(scores: Scores) -> Block:
    """Scores as (n, draws), and the receipts as the bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pa.BufferOutputStream()
    pq.write_table(pa.table(scores.receipts), content)
    receipts = np.frombuffer(content.getvalue(), dtype=np.uint8)
    return {
        "score": scores.score.T,
        "receipts": receipts,
        "receipt_bytes": np.array([len(receipts)]),
    }


def _read_receipts(arrays: Block) -> dict[str, Any]:
    """Join the receipts of all blocks, whose files follow one another."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = np.split(arrays["receipts"], np.cumsum(arrays["receipt_bytes"])[:-1])
    table = pa.concat_tables([pq.read_table(pa.BufferReader(file)) for file in files])
    return {name: table[name].combine_chunks() for name in table.column_names}
