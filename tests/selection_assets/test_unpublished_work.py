"""What was computed and could not be published is there for the next attempt."""

from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from toy_stages import Toy

from resources.project import ROOT_VARIABLE
from resources.store import artifacts
from resources.store.publishing_lock import locked
from selection_assets.definitions import project_resources
from selection_assets.refresh.run_work import RefreshFailed, run_work
from selection_assets.refresh.work import Work
from selection_assets.stage.asset import build_asset
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Expected, Step


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Toy(tmp_path)


def remembering() -> Stage:
    """A stage that finds in its work folder what an attempt before it had computed."""

    @stage(
        key=dg.AssetKey(["toy", "figure"]),
        campaign="toy",
        costly=True,
        metered=True,
        expects=lambda _: Expected(5.0),
    )
    def figure(step: Step) -> Draft:
        done = step.work / "figure.txt"
        resumed = 5.0 if done.exists() else 0.0
        if not resumed:
            step.meter.charge(5.0)
            done.write_text("42")
        return Draft(
            {"figure.txt": done.read_text()},
            rows=1,
            flops=5.0,
            resumed_flops=resumed,
            accountant="detailed",
        )

    return figure


def test_a_step_that_cannot_publish_is_not_computed_again(toy, monkeypatch):
    monkeypatch.setattr(artifacts, "locked", partial(locked, timeout=0.2))
    with locked(toy.store / "artifacts" / artifacts.LOCK, alone=True):
        assert not toy.run(remembering()).success
    assert [state for _, state, _ in toy.spend()] == ["lost"]
    assert toy.run(remembering()).success
    assert toy.spend() == [("toy/figure", "settled", 0.0), ("toy/figure", "lost", 5.0)]
    assert list((toy.store / "artifacts" / artifacts.WORK).iterdir()) == []


def test_a_full_disk_is_told_with_what_to_do(toy):
    """`/dev/full` has no room, as a full disk has none."""

    @stage(key=dg.AssetKey(["toy", "written"]), campaign="toy")
    def written(step: Step) -> Draft:
        with Path("/dev/full").open("w") as full:
            full.write("something")
        raise AssertionError

    definitions = dg.Definitions(assets=[build_asset(written)], resources=project_resources())
    job = definitions.resolve_implicit_global_asset_job_def()
    said = r"No space left on device\nMake room on the disk of .*what was finished stays"
    with pytest.raises(RefreshFailed, match=said):
        run_work(job, Work(("toy/written",)), toy.instance, known=[])
