"""Small stages whose partitions are the files of a folder, through Dagster and the real ledger."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.ledger.ledger import Ledger, open_ledger
from selection.budget.amounts import Cap
from selection_assets.definitions import project_resources
from selection_assets.stage.asked import range_tags
from selection_assets.stage.asset import build_asset
from selection_assets.stage.failures import NotMade, told_by
from selection_assets.stage.keys import source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step

READ, COUNTED = dg.AssetKey(["toy", "read"]), dg.AssetKey(["toy", "counted"])
PARTITIONS = source_partitions("toy")
COST = 5.0
"""FLOPs that it takes to count one source's words."""


class ToyPool:
    """`read` reads a file of lines, `counted` counts its words on the device."""

    def __init__(self, folder: Path, **sources: str) -> None:
        self.folder = folder / "files"
        self.folder.mkdir()
        self.store = folder / "store"
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions(str(PARTITIONS.name), list(sources))
        self.loaded: list[str] = []
        for name, text in sources.items():
            self.write(name, text)
        self.assets = [build_asset(self.read()), build_asset(self.counted())]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.store)

    def read(self) -> Stage:
        @stage(
            key=READ,
            campaign="toy",
            partitions=PARTITIONS,
            outside=lambda source: {source: (self.folder / source).read_text()},
            checks={"polite": "No line is rude."},
        )
        def read(step: Step) -> Draft:
            lines = (self.folder / step.partition).read_text().splitlines()
            rude = sum("!" in line for line in lines)
            check = Check("polite", not rude, {"rude": rude}, remedy="ask nicely")
            return Draft({"lines.json": lines}, rows=len(lines), checks=[check])

        return read

    def counted(self) -> Stage:
        @stage(
            key=COUNTED,
            campaign="toy",
            ins={"read": dg.AssetIn(READ)},
            partitions=PARTITIONS,
            costly=True,
            metered=True,
            expects=lambda _: Expected(COST),
        )
        def counted(step: Step) -> Draft:
            step.once("model", lambda: self.loaded.append(step.partition))
            step.meter.charge(COST)
            words = " ".join(step.one("read").json("lines.json")).split()
            if "thirteen" in words:
                raise ArithmeticError("thirteen")
            return Draft({"words.json": len(words)}, len(words), flops=COST, accountant="detailed")

        return counted

    def run(self, key: dg.AssetKey, *partitions: str) -> dg.ExecuteInProcessResult:
        """Make partitions of one asset in one run."""
        known: Sequence[str] = self.instance.get_dynamic_partitions(str(PARTITIONS.name))
        one = len(partitions) == 1
        return dg.materialize(
            self.assets,
            selection=[key],
            resources=project_resources(),
            instance=self.instance,
            partition_key=partitions[0] if one else None,
            tags={} if one else range_tags(partitions, known),
            raise_on_error=False,
        )

    def cap(self, flops: float) -> None:
        self.ledger.spending.raise_cap("toy", Cap("flops", flops), actor="me", reason="a test")

    def current(self, key: dg.AssetKey) -> dict[str, object]:
        """Partition to content."""
        name = {READ: "lines.json", COUNTED: "words.json"}[key]
        found = self.ledger.current_versions(key.to_user_string())
        return {partition: one.json(name) for partition, one in found.items()}


def not_made(result: dg.ExecuteInProcessResult) -> dict[str, NotMade]:
    """What the one step of a run says that it has not made."""
    [event] = result.get_step_failure_events()
    [(_, told)] = told_by(event)
    return told


def events(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    """A run's event of each partition, of which there is one."""
    found = [event.materialization for event in result.get_asset_materialization_events()]
    by_partition = {str(one.partition): one for one in found}
    assert len(by_partition) == len(found)
    return by_partition
