"""Processes that train together write into the log of the run that waits for them."""

import dagster as dg
import numpy as np
import pytest

from resources.training_processes import PipedProcesses
from selection.models.base import new_model, tiny_config
from selection.models.recipe import Recipe
from selection.models.training import train

ROWS = [(ids, [1] * 12) for ids in np.random.default_rng(0).integers(2, 90, (10, 12))]
RECIPE = Recipe(batch_size=2, learning_rate=1e-2, lora_rank=4)


def test_a_run_is_told_of_the_steps_of_adapters_that_two_train(tmp_path):
    config = tiny_config(
        "llama", width=16, layers=1, heads=2, ffn_width=32, vocabulary=100, sequence_length=32
    )

    def losses(folder: str, processes: PipedProcesses | None) -> list[float]:
        model, where = new_model(config, seed=0), tmp_path / folder
        found = train(
            model, ROWS, RECIPE, work_dir=where, pad_id=1, device="cpu", processes=processes
        )
        return [loss for _, loss in found.losses]

    together: list[float] = []

    @dg.asset
    def trained(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        together.extend(losses("together", PipedProcesses(context, 2, sharded=False)))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([trained], instance=instance)
        said = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert together == pytest.approx(losses("alone", None), abs=1e-5)
    assert f"step 5 of 5: loss {together[-1]:.4f}" in said
