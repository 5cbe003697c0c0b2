"""A costly step that says where it is and waits there until it is told to go on."""

import sys

import dagster as dg

from selection_assets.stage.stage import stage
from selection_assets.stage.step import Draft, Expected, Step

RUN = """
import dagster as dg
from resources.store import artifacts
from selection_assets.definitions import project_resources
from selection_assets.stage.asset import build_asset
from slow_step import slow, wait

artifacts.crash_point = lambda place: wait(place) if place == "after_stage" else None
made = dg.materialize([build_asset(slow)], resources=project_resources(), raise_on_error=False)
print(made.success, flush=True)
"""


def wait(place: str) -> None:
    """Say so, and wait for a line."""
    print(place, flush=True)
    sys.stdin.readline()


@stage(
    key=dg.AssetKey(["toy", "slow"]),
    campaign="toy",
    costly=True,
    expects=lambda _: Expected(5.0),
)
def slow(step: Step) -> Draft:
    """Write half of its work, wait, and make the whole of it."""
    half = step.work / "half.md"
    half.write_text("half")
    wait("at_work")
    return Draft({"whole.md": half.read_text() + " and half"}, rows=1, flops=5.0)
