"""What pytest is told of this suite: its fixtures, its figures, and how it ends."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from figures import Figures

pytest_plugins = [
    "distilled_once",
    "hub_model",
    "kinds",
    "processors",
    "quick_probes",
    "quick_storage",
    "small_fixtures",
    "smallest_fixtures",
]

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two processes with two threads each would take each other's cores; what tests start inherits
    # it. Libraries read this when they are imported, which none has been so far.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

_figures = Figures()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make test-all` keep what the tests of the promises counted."""
    parser.addoption("--figures", metavar="FILE", help="Write the promises' figures as JSON.")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the figures, but not those of a failed run."""
    # Not by the variable: a pytest that a worker starts inherits it, and is none.
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = json.dumps(_figures.found)  # pyright: ignore
        return
    wanted = session.config.getoption("figures")
    if wanted is not None and exitstatus == pytest.ExitCode.OK:
        _figures.write(Path(wanted))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has counted."""
    found_there = json.loads(getattr(node, "workeroutput", {}).get("figures", "{}"))
    for promise, found in found_there.items():
        _figures.record(promise, **found)


@pytest.fixture(scope="session")
def figures() -> Figures:
    """Counts what the tests of the promises tried."""
    return _figures
