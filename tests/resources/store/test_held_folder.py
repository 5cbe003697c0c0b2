"""A lock on a folder lasts as long as its holder wants it, or lives, and no longer."""

import os
import threading
import time
from pathlib import Path

import pytest
from real_processes import PATIENCE, Child

from resources.store.artifacts import ArtifactStore
from resources.store.held_folder import is_free, make_and_hold, try_hold

HOLD_AND_HAVE_CHILDREN = """
import os, subprocess, sys, time
from pathlib import Path
from resources.store.held_folder import make_and_hold

hold = make_and_hold(Path(sys.argv[1]))
sleeper = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, close_fds=False)
child = os.fork()
if child == 0:
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    if sys.argv[2] == "executes":
        os.execvp("sleep", ["sleep", "60"])
    time.sleep(60)
    os._exit(0)
print(sleeper.pid, child, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def test_a_held_folder_is_held_until_it_is_let_go_under_whatever_name(tmp_path):
    hold = make_and_hold(tmp_path / "one")
    assert hold is not None
    assert try_hold(tmp_path / "one") is None
    (tmp_path / "one").rename(tmp_path / "two")
    assert not is_free(tmp_path / "two")
    assert not is_free(tmp_path / "one"), "there is none of that name"
    hold.release()
    hold.release()
    assert is_free(tmp_path / "two")


def test_a_forgotten_hold_is_let_go(tmp_path):
    make_and_hold(tmp_path / "one")
    assert is_free(tmp_path / "one")


@pytest.mark.parametrize("how", ["executes", "forks"])
def test_the_lock_of_a_killed_process_does_not_live_on_in_its_children(tmp_path, how):
    holder = Child(HOLD_AND_HAVE_CHILDREN, tmp_path / "one", how)
    children = [int(pid) for pid in holder.next_line().split()]
    try:
        assert not is_free(tmp_path / "one")
        holder.kill()
        holder.wait()
        patient_until = time.monotonic() + PATIENCE  # a child lets go once it has begun to run
        while not is_free(tmp_path / "one"):
            assert time.monotonic() < patient_until
            time.sleep(0.01)
        assert all(Path(f"/proc/{pid}").exists() for pid in children)
    finally:
        for pid in children:
            os.kill(pid, 9)


def test_a_forked_child_that_lets_go_leaves_its_parent_s_lock_alone(tmp_path):
    hold = make_and_hold(tmp_path / "one")
    assert hold is not None
    child = os.fork()
    if child == 0:
        hold.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert not is_free(tmp_path / "one")


def test_of_two_steps_at_the_same_work_in_one_process_each_has_a_folder(store):
    """What either leaves is found by whoever comes next, as far as nobody is at work in it."""
    first, second = store.work_folder("key"), store.work_folder("key")
    assert first.path != second.path
    second.hold.release()
    third = store.work_folder("key")
    assert third.path == second.path
    third.remove()
    first.hold.release()
    assert store.work_folder("key").path == first.path


def test_of_several_folders_in_which_nobody_is_the_fullest_is_gone_on_with(store):
    """Two were at the same work, and both were killed: one early, one late."""
    first, second = store.work_folder("key"), store.work_folder("key")
    (first.path / "begun").mkdir()
    (second.path / "seed_0.json").write_text("paid for")
    for work in (first, second):
        work.hold.release()
    assert store.work_folder("key").path == second.path


def test_whoever_comes_while_others_only_look_waits_for_its_folder(store):
    """Somebody who clears away looks at each folder, with the same lock, and lets go of it."""
    path = store.work_folder("key").path
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_free(path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            assert store.work_folder("key").path == path
    finally:
        over.set()
        looker.join()
