"""Prepare something of every row block by block; blocks that a killed run had finished are kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from pydantic_core import to_jsonable_python

from selection.basics.blocks import BlockStore, Charge, Finished, compute_in_blocks, stretches
from selection.basics.engine import HERE
from selection.methods.contract.preparation import Preparation, PrepareInputs
from selection.methods.contract.values import Rows


def prepare_in_blocks(
    preparation: Preparation,
    inputs: PrepareInputs,
    compute: Callable[[Rows, Charge], dict[str, np.ndarray]],
    *,
    block_rows: int,
) -> Finished:
    """Compute arrays of each block of rows.

    Parameters
    ----------
    compute : charges what it will cost and gives named arrays of some rows, whose values for a row
        do not depend on the rest of its block.

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept in `inputs.work`, each named by its
        rows, so that another attempt that has others to do takes none for its own.
    """
    return compute_in_blocks(
        BlockStore(inputs.work, _made_by(preparation, inputs)),
        (
            rows.take(some).held()
            for rows in inputs.pool()
            for some in stretches(len(rows.row_id), block_rows)
        ),
        lambda rows: [*rows.row_id.tolist(), *rows.text],
        compute,
        charge=inputs.meter.charge,
        done=lambda rows, resumed: inputs.advance(len(rows.row_id)),
        # One that needs a device holds a model, and the device.
        engine=HERE if preparation.needs_device else inputs.engine,
    )


def _made_by(preparation: Preparation, inputs: PrepareInputs) -> list[str]:
    """Name what computes the blocks; models are those of the folder, which is of one attempt."""
    options = to_jsonable_python(inputs.options)
    read = {option: options.get(option) for option in preparation.reads}
    by_selector = []
    if inputs.selector is not None:
        by_selector = [
            inputs.selector.accountant,
            f"window {inputs.selector.shape.sequence_length}",
        ]
    return [preparation.asset, json.dumps(read, sort_keys=True), *by_selector]
