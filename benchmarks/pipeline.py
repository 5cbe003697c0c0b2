"""What does a study take in time and memory, and what does it take again when nothing changed?

Runs a study twice, each time in a process of its own, in a temporary project folder.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from harness import parse_arguments, publish

from resources.ledger.database import Database
from resources.project import ROOT_VARIABLE

CHECKOUT = Path(__file__).resolve().parents[1]
LIBRARIES = ("dagster", "duckdb", "torch", "transformers", "POT", "faiss-cpu")


def write_project(root: Path, *, quick: bool) -> None:
    """Copy the quickstart; quick: four small packages, and no seed beyond two."""
    shutil.copytree(CHECKOUT / "studies" / "pools", root / "studies" / "pools")
    (root / "dagster_home").mkdir()
    shutil.copy(CHECKOUT / "dagster_home" / "dagster.yaml", root / "dagster_home")
    study = yaml.safe_load((CHECKOUT / "studies" / "quickstart.yaml").read_text())
    if quick:
        pool_file = root / "studies" / "pools" / "docstrings.yaml"
        pool = yaml.safe_load(pool_file.read_text())
        pool["sources"][0]["packages"] = ["alembic", "networkx", "numpy", "scipy"]
        pool_file.write_text(yaml.safe_dump(pool))
        study["base_model"]["pretraining_words"] = 50_000
        study["seeds"] = [0, 1]
    (root / "studies" / "quickstart.yaml").write_text(yaml.safe_dump(study))


def run(root: Path) -> float:
    """Run the study as a user would; returns the seconds it took."""
    environment = os.environ | {
        ROOT_VARIABLE: str(root),
        "DAGSTER_HOME": str(root / "dagster_home"),
    }
    started = time.monotonic()
    command = [Path(sys.executable).parent / "selection", "run", "quickstart"]
    subprocess.run(command, env=environment, check=True)
    return time.monotonic() - started


def seconds_by_asset(root: Path) -> dict[str, float]:
    """Wall seconds that the ledger has of every asset."""
    store = root / "store"
    with Database(store / "ledger.duckdb", store / "artifacts").transaction() as connection:
        found = connection.execute(
            "SELECT asset, sum(wall_seconds) FROM spend GROUP BY asset ORDER BY asset"
        ).fetchall()
    return {f"seconds {asset}": seconds for asset, seconds in found}


def main() -> None:
    """Measure, print and, with --json, write."""
    arguments = parse_arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, quick=arguments.quick)
        first = run(root)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        second = run(root)
        figures = {
            "first run, seconds": first,
            "second run, seconds": second,
            "second over first": second / first,
            "peak memory, MiB": peak,
            **seconds_by_asset(root),
        }
    publish(figures, LIBRARIES, arguments.json)


if __name__ == "__main__":
    main()
