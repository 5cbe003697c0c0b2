"""Prepare something of every row block by block; blocks that a killed run had finished are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
from pydantic_core import to_jsonable_python

from selection.basics.blocks import BlockStore, Finished, compute_in_blocks, stretches
from selection.methods.contract.preparation import Preparation, PrepareInputs
from selection.methods.contract.values import Rows


def prepare_in_blocks(
    preparation: Preparation,
    inputs: PrepareInputs,
    compute: Callable[[Rows], dict[str, np.ndarray]],
    flops: Callable[[Rows], float],
    *,
    block_rows: int,
) -> Finished:
    """Compute arrays of each block of rows, charging the meter before each.

    Parameters
    ----------
    compute : rows to named arrays, whose values for a row do not depend on the rest of its block.
    flops : what that will cost.

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept in `inputs.work`, each named by its
        rows, so that another attempt that has others to do takes none for its own.
    """
    return compute_in_blocks(
        BlockStore(inputs.work, _made_by(preparation, inputs)),
        _cut(inputs, block_rows),
        lambda rows: [*rows.row_id.tolist(), *rows.text],
        compute,
        cost=flops,
        charge=inputs.meter.charge,
        done=lambda rows, resumed: inputs.advance(len(rows.row_id)),
    )


def _made_by(preparation: Preparation, inputs: PrepareInputs) -> list[str]:
    """Name what computes the blocks; models are those of the folder, which is of one attempt."""
    options = to_jsonable_python(inputs.options)
    read = {option: options.get(option) for option in preparation.reads}
    counted_by = "" if inputs.selector is None else inputs.selector.accountant
    return [preparation.asset, json.dumps(read, sort_keys=True), counted_by]


def _cut(inputs: PrepareInputs, block_rows: int) -> Iterator[Rows]:
    for rows in inputs.pool():
        for some in stretches(len(rows.row_id), block_rows):
            yield rows.take(some)
