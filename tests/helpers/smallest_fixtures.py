"""The smallest study, fresh and finished, and the process that its runs are forked from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import Zygote
from small_project import Project, enter
from smallest_study import NAME, write_model, write_smallest_project
from study_outcome import Outcome, study_outcome


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    made = Zygote(tmp_path_factory.mktemp("empty"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which nothing has run, to be copied."""
    folder = tmp_path_factory.mktemp("fresh")
    model = write_model(folder / "model")
    return write_smallest_project(folder / "project", model=model).root


@pytest.fixture(scope="session")
def finished_smallest(
    fresh: Path, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project after one run that nobody disturbed; to be copied."""
    root = tmp_path_factory.mktemp("finished_smallest") / "project"
    zygote.start(Project(shutil.copytree(fresh, root)), "run", NAME).finish()
    return root


@pytest.fixture(scope="session")
def undisturbed(finished_smallest: Path) -> Outcome:
    """What the study comes to when nobody disturbs it."""
    for project in enter(Project(finished_smallest)):
        return study_outcome(project.ledger)
    raise AssertionError
