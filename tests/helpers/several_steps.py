"""A job of costly steps that run side by side, each in a process of its own."""

import os
import time
from pathlib import Path

import dagster as dg

from selection_assets.definitions import PRELOADED, project_resources
from selection_assets.stage.asset import build_asset
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Expected, Step

PARTS = 5
AT_ONCE = 3
CHARGES = 8

UNTIL = "UNTIL"
"""Names in the environment the file for which each step waits before it ends, if any."""

RUN = """
import dagster as dg
from several_steps import everything

with dg.DagsterInstance.get() as instance:
    with dg.execute_job(dg.reconstructable(everything), instance=instance) as result:
        print(result.success, flush=True)
"""


def build_part(number: int) -> Stage:
    """A step that charges its FLOPs one by one, asking for more on its way."""

    @stage(
        key=dg.AssetKey(["toy", f"part{number}"]),
        campaign="toy",
        parameters={"number": number},
        costly=True,
        metered=True,
        expects=lambda _: Expected(CHARGES / 2),
    )
    def part(step: Step) -> Draft:
        for _ in range(CHARGES):
            step.meter.charge(1.0)
            time.sleep(0.3)  # long enough for others to be at work beside it
        while UNTIL in os.environ and not Path(os.environ[UNTIL]).exists():
            time.sleep(0.1)
        return Draft({"number.json": [number]}, rows=1, flops=float(CHARGES), accountant="detailed")

    return part


def build_total() -> Stage:
    """A step that reads them all."""

    @stage(
        key=dg.AssetKey(["toy", "total"]),
        campaign="toy",
        ins={
            f"part{number}": dg.AssetIn(dg.AssetKey(["toy", f"part{number}"]))
            for number in range(PARTS)
        },
    )
    def total(step: Step) -> Draft:
        value = sum(step.one(name).json("number.json")[0] for name in step.inputs)
        return Draft({"total.json": [value]}, rows=1)

    return total


def everything() -> dg.JobDefinition:
    """All steps, in processes of their own."""
    stages = [*(build_part(number) for number in range(PARTS)), build_total()]
    # What a step's process imports has been imported once, in the server it is forked from.
    forked = {"forkserver": {"preload_modules": [*PRELOADED, "several_steps"]}}
    executor = dg.multiprocess_executor.configured(
        {"max_concurrent": AT_ONCE, "start_method": forked}
    )
    definitions = dg.Definitions(
        assets=[build_asset(made) for made in stages],
        resources=project_resources(),
        jobs=[dg.define_asset_job("everything", executor_def=executor)],
    )
    return definitions.resolve_job_def("everything")
