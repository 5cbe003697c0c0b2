"""A tiny project, and its Dagster instance."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from small_project import Project, enter
from tiny_project import write_tiny_project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield from enter(write_tiny_project(tmp_path / "project"))


@pytest.fixture
def instance(project: Project) -> Iterator[dg.DagsterInstance]:
    with project.instance() as instance:
        yield instance
