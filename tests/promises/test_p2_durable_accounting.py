"""P2: acknowledged spend survives, and is counted once, however often the process is killed."""

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from attempts import Attempt, Zygote
from figures import Figures
from small_project import Project, enter
from smallest_study import NAME
from study_outcome import NOTHING, Outcome, check_readers, check_same, clear_away, study_outcome

PATIENCE = 1.5
"""Seconds that we wait for the moment aimed at."""

AIMS = (
    *(None, None, None, "in a ledger transaction", "in a write of Dagster's SQLite"),
    *("between rename and ledger row", "with files staged"),
)
"""Where to kill: at any moment, or in the middle of something short."""

STEPS = 26
"""Partitions that the study materializes."""


@pytest.mark.parametrize(
    ("kills", "projects"),
    [(5, 1), pytest.param(200, 8, marks=[pytest.mark.slow, pytest.mark.timeout(2400)])],
)
def test_runs_killed_at_random_times_come_to_what_an_undisturbed_one_does(
    kills: int,
    projects: int,
    fresh: Path,
    undisturbed: Outcome,
    zygote: Zygote,
    tmp_path: Path,
    figures: Figures,
) -> None:
    """Kills are spread over the study by how far it has come, so by no machine's speed."""
    chance = random.Random(kills)
    survived: Counter[str] = Counter()
    most_steps = round(2 * STEPS * projects / kills) - (projects == 1)
    while survived["kills_survived"] < kills:
        number = survived["projects_compared_with_an_undisturbed_one"]
        project = Project(shutil.copytree(fresh, tmp_path / f"project-{number}"))
        while kill_one(zygote, project, chance, survived, most_steps):
            for _ in enter(project):  # P1, wherever a study was killed
                check_readers(project.ledger, NOTHING, undisturbed)
            if survived["kills_survived"] >= kills:
                zygote.start(project, "run", NAME).finish()
                break
        compare(project, zygote, undisturbed, survived)
        shutil.rmtree(project.root)
    figures.record("P2", **survived)


def kill_one(
    zygote: Zygote, project: Project, chance: random.Random, survived: Counter[str], most: int
) -> bool:
    """Start a run and kill it somewhere; False when it came to its end by itself."""
    steps = published(project) + chance.randint(0, most)
    attempt = zygote.start(project, "run", NAME)
    doing = wait_and_kill(attempt, steps, chance.uniform(0, 1.5), chance.choice(AIMS))
    if doing is None:
        attempt.finish()
        return False
    assert attempt.wait() == -signal.SIGKILL
    survived["kills_survived"] += 1
    survived.update(f"of_these_{name}".replace(" ", "_") for name in doing)
    return True


def wait_and_kill(attempt: Attempt, steps: int, life: float, aim: str | None) -> set[str] | None:
    """Kill a run once so many steps are published, some seconds later, at what is aimed at.

    Returns
    -------
    set of str or None
        What it was in the middle of; None when it had ended by itself before.
    """
    while published(attempt.project) < steps:
        if not attempt.is_alive():
            return None
        time.sleep(0.01)
    time.sleep(life)
    patient_until = time.monotonic() + (PATIENCE if aim else 0)
    while attempt.is_alive():
        with attempt.held_still():
            doing = attempt.doing()
            if aim is None or aim in doing or time.monotonic() > patient_until:
                if not attempt.is_alive():
                    return None
                attempt.kill()
                return doing
        time.sleep(0.002)
    return None


def published(project: Project) -> int:
    """How many versions the store holds."""
    return len(list((project.root / "store/artifacts").glob("[a-z]*/**/manifest.json")))


def compare(project: Project, zygote: Zygote, undisturbed: Outcome, seen: Counter[str]) -> None:
    """The study has run to its end: it must not show that runs of it were killed."""
    zygote.start(project, "run", NAME).finish()  # which also settles what the dead have left
    assert "nothing had changed" in (project.root / "attempts.log").read_text()
    for _ in enter(project):
        with project.instance() as instance:
            assert [run.status for run in instance.get_runs() if not run.is_finished] == []
        for debris in clear_away(project.ledger):
            seen[f"debris_removed_of_kind_{debris.kind}"] += 1
        check_same(study_outcome(project.ledger), undisturbed)
        lost = project.ledger.query("SELECT count(*) AS n FROM spend WHERE state = 'lost'")
        seen["attempts_recorded_as_lost"] += lost[0]["n"]
    seen["projects_compared_with_an_undisturbed_one"] += 1
