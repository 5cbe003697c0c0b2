"""Score many rows block by block; blocks that a killed run had finished are not scored again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic_core import to_json

from selection.basics.blocks import FLOPS, Block, BlockStore, Charge, each_block, stretches
from selection.basics.engine import HERE, Engine
from selection.budget.meter import UNMETERED, Meter
from selection.methods.contract.protocol import Fitted, Method, ScoreInputs, Scores, checked_scores
from selection.methods.contract.values import Rows

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 16_384


class ManyRows(Protocol):
    """Rows that need not be held: `Rows`, or what gives some of them."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def take(self, some: slice) -> Rows:
        """Give some of them."""
        ...


@dataclass(frozen=True)
class BlockScores:
    """Scores of many rows, whose receipts stay on disk until they are looked at.

    Attributes
    ----------
    score : np.ndarray of shape (draws, n), float64
    flops : of all blocks, whoever scored them.
    resumed_flops : of those that an earlier run had finished.
    blocks, keys : where the receipts are.
    stretches : the rows of each block.
    """

    score: np.ndarray
    flops: float
    resumed_flops: float
    blocks: BlockStore
    keys: Sequence[str]
    stretches: Sequence[slice]

    def receipts(self) -> Iterator[tuple[slice, pa.Table]]:
        """Give which rows a block is of, and their receipts, one block after the other."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for key, some in zip(self.keys, self.stretches, strict=True):
            block = self.blocks.get(key)
            assert block is not None
            yield some, pq.read_table(pa.BufferReader(block["receipts"]))


def score_in_blocks(
    method: Method[Any],
    fitted: Fitted,
    rows: ManyRows,
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
    rows : all of them.
    inputs : ScoreInputs
        Of no rows; those of a block take their place.
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

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept.
    """
    if inputs.prepared and not engine.near:  # files of this machine, which other machines lack
        engine = HERE
    given = replace(inputs, rows=inputs.rows.held())  # as it can be sent

    def ready(block: Rows) -> Rows:
        return block if engine.here else block.held()

    def score(block: Rows, charge: Charge) -> Block:
        scores = checked_scores(method, fitted, replace(given, rows=block))
        charge(float(scores.flops))
        return _to_block(scores)

    blocks = BlockStore(finished, _made_by(method, fitted, inputs))
    cut = list(stretches(len(rows), block_rows))
    keys, score_parts, flops, resumed_flops = [], [], [], 0.0
    for key, block, resumed in each_block(
        blocks,
        (ready(rows.take(some)) for some in cut),
        lambda block: block.row_id.tolist(),
        score,
        charge=meter.charge,
        done=lambda block, resumed: report(len(block.row_id)),
        engine=engine,
    ):
        keys.append(key)
        score_parts.append(np.array(block["score"]))
        flops.append(float(block[FLOPS][0]))
        resumed_flops += flops[-1] if resumed else 0.0
        del block  # only one is held at a time
    whole = np.ascontiguousarray(np.concatenate(score_parts).T)
    return BlockScores(whole, sum(flops), resumed_flops, blocks, keys, cut)


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
    return {"score": scores.score.T, "receipts": receipts}
