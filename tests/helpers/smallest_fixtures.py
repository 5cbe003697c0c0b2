"""The smallest study, fresh and finished, and the process that its runs are forked from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import Zygote
from shared_builds import built_once
from small_project import Project, enter
from smallest_study import NAME, write_model, write_smallest_project
from study_outcome import Outcome, study_outcome


@pytest.fixture(scope="session")
def zygote(fresh: Path) -> Iterator[Zygote]:
    made = Zygote(fresh)
    yield made
    made.close()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which nothing has run, to be copied."""

    def build(folder: Path) -> None:
        write_smallest_project(folder / "project", model=write_model(folder / "model"))

    return built_once(tmp_path_factory, "fresh", build) / "project"


@pytest.fixture(scope="session")
def finished_smallest(
    fresh: Path, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project after one run that nobody disturbed; to be copied."""

    def build(root: Path) -> None:
        zygote.start(Project(Path(shutil.copytree(fresh, root))), "run", NAME).finish()

    return built_once(tmp_path_factory, "finished_smallest", build)


@pytest.fixture(scope="session")
def undisturbed(finished_smallest: Path) -> Outcome:
    """What the study comes to when nobody disturbs it."""
    for project in enter(Project(finished_smallest)):
        return study_outcome(project.ledger)
    raise AssertionError
