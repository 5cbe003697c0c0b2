"""Whoever computes its blocks, a study selects the same rows and is charged once."""

import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree

import psutil
import pytest
import yaml
from small_project import Project, docstring_lines, enter

from resources.ledger.lineage import current_artifacts
from selection_assets.refresh.refresh import refresh
from selection_assets.studies import load_study

pytestmark = pytest.mark.study

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: the extra `ray`")
METHODS = {
    "random": None,
    "length": None,
    "bm25": None,
    "dsir": None,
    "embedding": None,
    "round_robin": {"method": "embedding", "variant": "round_robin"},
    # On a part of the pool, so that all of it is passed to certify the rest.
    "ot": {"solve_rows": 40, "max_pool_residual": 1.9, "min_overlap": 0.0},
}
HERE = {"kind": "local", "workers": 1}


def selected(fresh: Path, root: Path, engine: dict[str, object]) -> dict[str, str]:
    """Versions of everything that a study has made, by asset and partition."""
    project = Project(Path(copytree(fresh, root)))
    (root / "project.yaml").write_text(yaml.safe_dump({"engine": engine}))
    (root / "drop/logging.jsonl").write_text(docstring_lines("logging"))
    file = root / "studies/least.yaml"
    study = yaml.safe_load(file.read_text())
    for name in ("base_model", "warm_up", "fine_tuning", "full_data_seeds"):
        del study[name]
    study |= {"trains": False, "methods": METHODS, "budgets": [{"rows": 20}]}
    file.write_text(yaml.safe_dump(study))
    for entered in enter(project):
        with entered.instance() as instance:
            assert refresh(
                load_study("least"),
                entered.definitions,
                entered.ledger,
                instance,
                up_to="selected_subset",
            )
        artifacts = current_artifacts(entered.ledger)
        paid = entered.ledger.query(
            "SELECT asset, partition, count(*) AS n FROM spend WHERE state = 'settled'"
            " GROUP BY asset, partition"
        )
        assert {row["n"] for row in paid} == {1}
        assert not entered.ledger.query("SELECT * FROM spend WHERE state = 'running'")
    # A plan has rates of this device in it.
    made = [a for a in artifacts if not a.asset.endswith("/budget_plan")]
    return {f"{a.asset}[{a.partition}]": a.version for a in made}


@pytest.fixture(scope="module")
def here(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return selected(fresh, tmp_path_factory.mktemp("here") / "project", HERE)


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param({"kind": "local", "workers": 2}, id="local-2"),
        pytest.param({"kind": "ray", "workers": 2}, id="ray-2", marks=needs_ray),
    ],
)
def test_a_study_selects_the_same_rows(here, fresh, tmp_path, engine):
    assert selected(fresh, tmp_path / "project", engine) == here


@needs_ray
def test_a_study_selects_the_same_rows_though_workers_are_killed(here, fresh, tmp_path):
    killer = Killer()
    killer.start()
    try:
        found = selected(fresh, tmp_path / "project", {"kind": "ray", "workers": 2})
    finally:
        killer.stop()
    assert killer.killed
    assert found == here


class Killer(threading.Thread):
    """Kills workers of Ray, at work or between two blocks, with a rest between."""

    MOST = 2  # fewer than a block is tried

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.killed: list[int] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.005) and len(self.killed) < self.MOST:
            for worker in workers():
                worker.kill()
                self.killed.append(worker.pid)
                time.sleep(1.0)
                break

    def stop(self) -> None:
        self._stopped.set()
        self.join()


AT_WORK = ("ray::_computed", "ray::IDLE")
"""Ray has other processes besides, without which none of it works."""


def workers() -> Iterator[psutil.Process]:
    """Workers of this process's cluster, by the name that Ray gives them: those at work first."""
    found: list[tuple[bool, psutil.Process]] = []
    for process in psutil.Process().children(recursive=True):
        try:
            name = "".join(process.cmdline()[:1])
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if name in AT_WORK:
            found.append((name != AT_WORK[0], process))
    yield from (process for _, process in sorted(found, key=lambda one: one[0]))
