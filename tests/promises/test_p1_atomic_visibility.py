"""P1: whoever reads sees the old version or the new one, wherever the writer was killed."""

import random
import shutil
import time
from pathlib import Path

import everything
import pytest
from attempts import Zygote
from everything import publish_everything
from real_processes import Child, die, run
from small_project import Project, enter
from smallest_study import NAME, change_everything
from study_outcome import NOTHING, Outcome, check_readers, check_same, clear_away, study_outcome

from resources.ledger.ledger import open_ledger
from resources.store.artifacts import Artifact

PUBLISH = Path(everything.__file__).read_text()
PUBLISH_FOR_EVER = (
    PUBLISH.partition("if __name__")[0]
    + """
import itertools
for i in itertools.count():
    publish_everything(Path(sys.argv[1]), "abcdefgh"[i % 8])
    print(flush=True)
"""
)

POINTS = ("after_stage", "after_fsync", "after_rename", "before_ledger", "after_ledger")
"""Where a step that publishes may die; `after_reserve` is passed by costly ones only."""


def tags(artifact: Artifact) -> set[str]:
    """Which versions the files of an artifact belong to, each type of file read as readers do."""
    return {
        artifact.path("tag.md").read_text(),
        artifact.json("facts.json")["tag"],
        *artifact.table("rows.parquet")["row_id"].to_pylist(),
        *(chr(int(value)) for value in artifact.array("vectors.npy")),
        *(chr(int(value)) for value in artifact.arrays("fitted.safetensors")["f"]),
        artifact.path("picture.png").read_bytes().removeprefix(b"png").decode(),
        (artifact.path("checkpoint") / "config.json").read_text(),
    }


def current(root: Path) -> Artifact:
    found = open_ledger(root).current("study/thing", "all")
    assert found is not None
    return found


def folders(root: Path) -> list[Path]:
    return list((root / "artifacts/study/thing/all").iterdir())


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_the_old_version_or_the_new_one(tmp_path, point, figures):
    crashed, undisturbed = tmp_path / "crashed", tmp_path / "undisturbed"
    publish_everything(crashed, "o")
    die(PUBLISH, crashed, "n", SELECTION_CRASH_AT=point)
    committed = point == "after_ledger"
    assert tags(current(crashed)) == {"n" if committed else "o"}
    current(crashed).verify()
    [spend] = open_ledger(crashed).query("SELECT state FROM spend WHERE run_id = 'run-n'")
    assert spend["state"] == ("settled" if committed else "running")

    version = publish_everything(crashed, "n")
    assert version == publish_everything(undisturbed, "n")
    assert current(crashed).version == version
    assert tags(current(crashed)) == {"n"}
    assert len(open_ledger(crashed).query("SELECT id FROM materialization")) == 2
    assert len(folders(crashed)) == 2
    figures.record("P1", crash_points_with_every_type_of_file=1)


def test_a_process_dies_when_it_passes_a_point_for_the_wanted_time(tmp_path):
    run(PUBLISH, tmp_path, "n", SELECTION_CRASH_AT="after_rename:2")
    run(PUBLISH, tmp_path, "n", SELECTION_CRASH_AT="no_such_point")
    twice = PUBLISH.replace('__name__ == "__main__"', "True")
    die(
        twice + "    publish_everything(Path(sys.argv[1]), 'm')",
        tmp_path,
        "n",
        SELECTION_CRASH_AT="after_rename:2",
    )
    assert tags(current(tmp_path)) == {"n"}


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_a_reader_beside_a_writer_that_is_killed_never_sees_a_mixture(tmp_path, kills, figures):
    chance = random.Random(kills)
    reads = 0
    for _ in range(kills):
        writer = Child(PUBLISH_FOR_EVER, tmp_path)
        writer.next_line()
        until = time.monotonic() + chance.uniform(0.05, 1)
        while time.monotonic() < until:
            assert len(tags(current(tmp_path))) == 1
            reads += 1
        writer.shoot()
        assert len(tags(current(tmp_path))) == 1
    figures.record("P1", reads_beside_a_writer=reads, writers_killed_beside_a_reader=kills)


def walk(zygote: Zygote, project: Project, deaths: list[str], old: Outcome, new: Outcome) -> int:
    """Run the study again and again, dying at each point in turn; returns how often it died."""
    died = 0
    while True:
        point = deaths[died % len(deaths)]
        attempt = zygote.start(project, "run", NAME, SELECTION_CRASH_AT=point)
        code = attempt.wait()
        for _ in enter(project):
            check_readers(project.ledger, old, new)
            if code == 0:
                clear_away(project.ledger)
        if code == 0:
            return died
        assert code == -9, attempt.log.read_text()[-3000:]
        died += 1


@pytest.mark.slow
def test_a_study_that_dies_at_some_steps_shows_each_version_whole_or_not_at_all(
    zygote, fresh, undisturbed, tmp_path, figures
):
    project = Project(Path(shutil.copytree(fresh, tmp_path / "crashed")))
    points = ["after_stage:4", "after_rename:5", "after_reserve:2", "before_ledger:5"]
    died = walk(zygote, project, [*points, "after_ledger:5"], NOTHING, undisturbed)
    assert died >= len(POINTS), "it has not died at each of them"
    for _ in enter(project):
        check_same(study_outcome(project.ledger), undisturbed)
    figures.record("P1", steps_of_a_study_that_died_at_a_crash_point=died)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "points", [POINTS, ("after_reserve", "after_ledger")], ids=["every step", "every costly step"]
)
def test_every_step_that_dies_at_every_point_shows_old_or_new_and_ends_the_same(
    points, zygote, finished_smallest, undisturbed, tmp_path, figures
):
    """Every input is changed, so that every asset has an old version and gets a new one."""
    project = change_everything(finished_smallest, tmp_path / "crashed")
    reference = change_everything(finished_smallest, tmp_path / "undisturbed")
    zygote.start(reference, "run", NAME).finish()
    for _ in enter(reference):
        new = study_outcome(reference.ledger)
    unchanged = {asset for asset, *_ in new.current & undisturbed.current}
    assert unchanged == {f"{NAME}/target_leaks"}, "nothing leaks, before or after"
    died = walk(zygote, project, list(points), undisturbed, new)
    for _ in enter(project):
        assert study_outcome(project.ledger).current == new.current
        assert study_outcome(project.ledger).selected == new.selected
    figures.record("P1", steps_of_a_study_that_died_at_a_crash_point=died)
