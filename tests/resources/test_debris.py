"""`selection gc`: what crashes leave is found and removed, and nothing else ever is."""

import json
import os
import re
import shutil
import time
from datetime import timedelta
from pathlib import Path

import everything
import pytest
from click.testing import CliRunner
from everything import publish_everything
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_processes import Child, die

from resources import debris as module
from resources.debris import find_debris, remove_debris
from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.lineage import current_artifacts
from resources.project import ROOT_VARIABLE
from resources.store.artifacts import ArtifactStore
from resources.store.publishing_lock import StoreBusy, locked
from resources.store.records import record_of
from selection_assets.command.subcommands.gc import gc

PUBLISH = Path(everything.__file__).read_text()
LEFT = {
    "after_stage": "stage",
    "after_fsync": "stage",
    "after_rename": "version",
    "before_ledger": "version",
    "after_ledger": None,
}
"""Crash point to the kind of debris that a crash there leaves."""

PUBLISH_FOR_EVER = (
    PUBLISH.partition("if __name__")[0]
    + """
import itertools
for i in itertools.count():
    publish_everything(Path(sys.argv[1]), f"{sys.argv[2]}-{i}")
    print(flush=True)
"""
)


def opened(root: Path) -> tuple[Ledger, ArtifactStore]:
    ledger = open_ledger(root)
    return ledger, ArtifactStore(ledger.artifacts)


def find(root: Path, days: float = 14) -> list[module.Debris]:
    return find_debris(open_ledger(root), unfinished_days=days)


def remove(root: Path, found: list[module.Debris]) -> int:
    return remove_debris(open_ledger(root), found)


def make_old(folder: Path, days: float) -> None:
    then = time.time() - timedelta(days=days).total_seconds()
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then, then))


@pytest.mark.parametrize("point", LEFT)
def test_what_a_crash_leaves_is_found_and_removed(tmp_path, point):
    publish_everything(tmp_path, "old")
    die(PUBLISH, tmp_path, "new", SELECTION_CRASH_AT=point)
    found = find(tmp_path)
    assert [debris.kind for debris in found] == ([LEFT[point]] if LEFT[point] else [])
    for debris in found:
        folder = tmp_path / "artifacts" / debris.path
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert debris.bytes == sum(path.stat().st_size for path in files) > 0
        assert debris.age < timedelta(minutes=5)
    assert remove(tmp_path, found) == len(found)
    assert find(tmp_path) == []
    assert not list((tmp_path / "artifacts/.stage").iterdir())
    for artifact in current_artifacts(open_ledger(tmp_path)):
        artifact.verify()
    publish_everything(tmp_path, "new")


ACTIONS = st.lists(
    st.tuples(st.sampled_from([None, *LEFT]), st.sampled_from("abc")), min_size=1, max_size=5
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=ACTIONS, days=st.sampled_from([0.0, 14.0]))
def test_nothing_that_the_ledger_names_is_ever_removed(tmp_path_factory, actions, days):
    """Versions are published, superseded, taken up again and crashed in every order."""
    root = tmp_path_factory.mktemp("store")
    publish_everything(root, "first")
    for point, tag in actions:
        # Forked: the crash is as real, and no interpreter has to start.
        child = os.fork()
        if child == 0:
            if point is not None:
                os.environ["SELECTION_CRASH_AT"] = point
            try:
                publish_everything(root, tag)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    ledger = open_ledger(root)
    named = {row["path"] for row in ledger.query("SELECT path FROM materialization")}
    remove(root, find(root, days))
    left = {
        p.parent.relative_to(root / "artifacts").as_posix()
        for p in (root / "artifacts").glob("study/**/manifest.json")
    }
    assert left == named
    assert not list((root / "artifacts/.stage").iterdir())
    for artifact in current_artifacts(ledger):
        artifact.verify()


def test_what_a_living_process_stages_is_left_alone(tmp_path):
    _, store = opened(tmp_path)
    staged = store.stage({"a.md": "x"})
    assert find(tmp_path) == []
    make_old(staged.folder, days=2)
    assert find(tmp_path, days=0) == []
    record_of(store.root, f"study/thing/all/{staged.version}", "spend").begin()
    store.publish(staged, "study/thing", "all")
    assert {debris.kind for debris in find(tmp_path)} == {"version"}


def test_a_folder_staged_by_nobody_known_goes(tmp_path):
    _, store = opened(tmp_path)
    unknown = store.root / ".stage" / ("0" * 32)
    unknown.mkdir(parents=True)
    [debris] = find(tmp_path)
    assert debris.reason == "nobody is at work in it, and it was never published"
    assert remove(tmp_path, [debris]) == 1


def test_what_somebody_took_up_again_after_it_was_found_stays(tmp_path):
    _, store = opened(tmp_path)
    store.work_folder("one").hold.release()
    found = find(tmp_path, days=0)
    again = store.work_folder("one")
    assert [debris.kind for debris in found] == ["work"]
    assert remove(tmp_path, found) == 0
    assert again.path.is_dir()


def test_a_folder_that_is_no_version_is_left_alone(tmp_path):
    publish_everything(tmp_path, "old")
    for name in ("notes", "0" * 32):
        (tmp_path / "artifacts/study/thing/all" / name).mkdir()
    assert find(tmp_path) == []


def test_what_came_into_use_after_it_was_found_stays(tmp_path):
    die(PUBLISH, tmp_path, "new", SELECTION_CRASH_AT="before_ledger")
    found = find(tmp_path)
    assert [debris.kind for debris in found] == ["version"]
    publish_everything(tmp_path, "new")
    assert remove(tmp_path, found) == 0
    for artifact in current_artifacts(open_ledger(tmp_path)):
        artifact.verify()


def test_nothing_is_removed_between_a_rename_and_its_row(tmp_path):
    ledger, store = opened(tmp_path)
    ledger.verify()  # which makes the file
    with store.publishing():
        staged = store.stage({"a.md": "x"})
        record_of(store.root, f"study/thing/all/{staged.version}", "spend").begin()
        store.publish(staged, "study/thing", "all")
        with (
            pytest.raises(StoreBusy, match="stayed locked"),
            locked(store.root / ".publishing.lock", alone=True, timeout=0.1),
        ):
            raise AssertionError
    assert [debris.kind for debris in find_debris(ledger, unfinished_days=14)] == ["version"]


def test_a_publisher_loses_nothing_while_others_clear_away(tmp_path):
    publish_everything(tmp_path, "old")
    publishers = [Child(PUBLISH_FOR_EVER, tmp_path, name) for name in ("a", "b")]
    for publisher in publishers:
        publisher.next_line()
    until = time.monotonic() + 1.5
    cleared = 0
    while time.monotonic() < until:
        found = find(tmp_path, days=0)
        assert found == []
        cleared += 1
    for publisher in publishers:
        publisher.shoot()
    remove(tmp_path, find(tmp_path))
    ledger = open_ledger(tmp_path)
    for row in ledger.query("SELECT path FROM materialization"):
        assert (ledger.artifacts / row["path"] / "manifest.json").is_file()
    assert cleared


def test_work_goes_when_it_is_finished_or_forgotten(tmp_path):
    publish_everything(tmp_path, "old")
    ledger, store = opened(tmp_path)
    [identity] = ledger.current_identities().values()
    works = [store.work_folder(key) for key in (identity.work, "started", "forgotten")]
    for work in works:
        work.hold.release()
    finished, started, forgotten = (work.path for work in works)
    (forgotten / "half.npy").write_bytes(b"half")
    make_old(forgotten, days=15)
    found = {debris.path: debris for debris in find(tmp_path)}
    assert set(found) == {f".work/{finished.name}", f".work/{forgotten.name}"}
    assert found[f".work/{finished.name}"].reason == "study/thing[all] is finished"
    assert "14 days" in found[f".work/{forgotten.name}"].reason
    (forgotten / "half.npy").write_bytes(b"whole")  # somebody took it up again
    assert remove(tmp_path, list(found.values())) == 1
    assert started.is_dir() and forgotten.is_dir() and not finished.exists()


def test_work_of_a_step_that_is_repeated_now_stays(tmp_path):
    publish_everything(tmp_path, "old")
    ledger, store = opened(tmp_path)
    [identity] = ledger.current_identities().values()
    work = store.work_folder(identity.work)
    assert find(tmp_path, days=0) == []
    work.hold.release()
    [debris] = find(tmp_path)
    assert debris.reason == "study/thing[all] is finished"


def test_a_removal_that_is_killed_is_finished_by_the_next(tmp_path, monkeypatch):
    die(PUBLISH, tmp_path, "new", SELECTION_CRASH_AT="before_ledger")
    child = os.fork()
    if child == 0:
        module.delete = lambda _: os.kill(os.getpid(), 9)
        remove(tmp_path, find(tmp_path))
        os._exit(0)
    os.waitpid(child, 0)
    [debris] = find(tmp_path)
    assert debris.kind == "trash"
    assert remove(tmp_path, [debris]) == 1
    assert find(tmp_path) == []


def test_the_command_shows_first_and_removes_when_asked(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    store = tmp_path / "store"
    publish_everything(store, "old")
    for tag, point in (("new", "after_stage"), ("newer", "before_ledger")):
        die(PUBLISH, store, tag, SELECTION_CRASH_AT=point)
    shown = CliRunner().invoke(gc)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"^stage +\.stage/\d+-", shown.output, re.MULTILINE)
    assert re.search(r"^version +study/thing/all/", shown.output, re.MULTILINE)
    assert "`selection gc --delete` removes them" in shown.output
    record = json.loads(CliRunner().invoke(gc, ["--json"]).output)
    assert [found["kind"] for found in record["found"]] == ["stage", "version"]
    assert record["removed"] == 0
    assert record["bytes"] == sum(found["bytes"] for found in record["found"])
    assert "2 removed" in CliRunner().invoke(gc, ["--delete"]).output
    assert CliRunner().invoke(gc).output.startswith("nothing to remove")
    shutil.rmtree(store)
