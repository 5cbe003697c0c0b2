"""The small project, fresh and finished."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_builds import built_once
from small_project import Project, enter, write_project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A fresh project in which nothing has run."""
    yield from enter(write_project(tmp_path / "project"))


@pytest.fixture(scope="session")
def finished_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose study has run once, end to end; copy it before changing anything."""

    def build(root: Path) -> None:
        for project in enter(write_project(root)):
            assert project.refresh()

    return built_once(tmp_path_factory, "finished", build)


@pytest.fixture
def finished(finished_root: Path) -> Iterator[Project]:
    """The finished project, shared: for reading only."""
    yield from enter(Project(finished_root))
