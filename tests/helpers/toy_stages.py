"""Two small stages through Dagster and the real ledger."""

import json
import math
from pathlib import Path

import dagster as dg

from resources.ledger.database import Database
from resources.ledger.ledger import Ledger, open_ledger
from selection_assets.definitions import project_resources
from selection_assets.stage.asked import FORCE_TAG
from selection_assets.stage.asset import build_asset
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step


class Toy:
    """Two stages over one file: `numbers` reads it, `total` adds them up on the device."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "numbers.json"
        self.store = folder / "store"
        self.instance = dg.DagsterInstance.ephemeral()
        self.write([1, 2])

    def write(self, numbers: object, *, padding: str = "") -> None:
        self.file.write_text(json.dumps(numbers) + padding)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.store)

    def numbers(self) -> Stage:
        @stage(
            key=dg.AssetKey(["toy", "numbers"]),
            campaign="toy",
            outside=lambda _: {"numbers": self.file.read_text()},
            checks={"not_negative": "No number is negative."},
        )
        def numbers(step: Step) -> Draft:
            values = json.loads(self.file.read_text())
            return Draft(
                {"numbers.json": values},
                rows=len(values),
                facts={"numbers": values},
                checks=[Check("not_negative", min(values) >= 0, {"smallest": min(values)})],
            )

        return numbers

    def total(self, **parameters: object) -> Stage:
        @stage(
            key=dg.AssetKey(["toy", "total"]),
            campaign="toy",
            ins={"numbers": dg.AssetIn(dg.AssetKey(["toy", "numbers"]))},
            parameters=parameters,
            costly=True,
            expects=lambda _: Expected(5.0),
        )
        def total(step: Step) -> Draft:
            value = sum(step.one("numbers").json("numbers.json"))
            if value == 13:
                raise ArithmeticError("thirteen")
            return Draft(
                {"total.json": [value]},
                rows=1,
                flops=5.0,
                accountant="detailed",
                facts={"total": math.nan if value == 14 else value},
            )

        return total

    def run(self, *stages: Stage, force: bool = False) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [build_asset(made) for made in stages or (self.numbers(), self.total())],
            resources=project_resources(),
            instance=self.instance,
            tags={FORCE_TAG: "yes"} if force else None,
            raise_on_error=False,
        )

    def current(self, name: str) -> object:
        artifact = self.ledger.current(f"toy/{name}", "all")
        return artifact.json(f"{name}.json") if artifact else None

    def spend(self) -> list[tuple]:
        database = Database(self.store / "ledger.duckdb", self.store / "artifacts")
        with database.transaction() as connection:
            return connection.execute(
                "SELECT asset, state, flops FROM spend ORDER BY asset, state DESC"
            ).fetchall()


def reused(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Which of the materialized stages were answered with what was there."""
    found = {}
    for event in result.get_asset_materialization_events():
        materialization = event.materialization
        name = materialization.asset_key.path[-1]
        found[name] = "reused" in materialization.metadata
    return found


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    data = event.step_failure_data
    return data.error_display_string
