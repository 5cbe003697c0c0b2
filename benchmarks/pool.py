"""How do time, memory and disk grow with a pool, from its file to exported subsets?

    python benchmarks/pool.py [--quick] [--json FILE]

Pools of 20,000 rows, 200,000 and, without --quick, two million, made by a seeded recombination of
real sentences of `../shared/data/pool_domains.parquet`, so that all rows differ; the target is
`chemprot`. A study of seven methods selects 5% of each and writes it as a training file; nothing is
trained. The command runs in a process of its own, in a new project, on idle cores. Memory is that
of the process and all that it starts, what they share counted once.

An exponent of one says that ten times the rows take ten times as much.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from generated_rows import write_pool
from harness import option_parser, publish
from pick import DATA, POOL, bytes_of_tree, write_lines

from resources.ledger.ledger import open_ledger
from resources.project import ROOT_VARIABLE
from selection_assets.authoring.study_file import ALL_STEER, EMBEDDER

TARGET, TARGET_ROWS = "chemprot", 1_000
SIZES = {"20k": 20_000, "200k": 200_000, "2m": 2_000_000}
QUICK = ("20k", "200k")
METHODS: dict[str, Any] = {
    "random": None,
    "length": None,
    "bm25": None,
    "dsir": None,
    "embedding": None,
    "round_robin": {"method": "embedding", "variant": "round_robin"},
    "ot": None,
}
LOOKS_PER_SECOND = 10
LIBRARIES = ("dagster", "duckdb", "model2vec", "pyarrow", "bm25s", "tokenizers", "torch")


def main() -> None:
    """Measure, print and, with --json, write."""
    given = option_parser(__doc__).parse_args()
    sizes = list(QUICK if given.quick else SIZES)
    found = {size: measure(size, SIZES[size]) for size in sizes}
    before, last = (found[size] for size in sizes[-2:])
    figures: dict[str, float] = {
        "time_exponent": math.log10(last["seconds"] / before["seconds"]),
        "memory_exponent": math.log10(last["peak_gb"] / before["peak_gb"]),
        "peak_gb": last["peak_gb"],
        "rows_per_second": SIZES[sizes[-1]] / last["seconds"],
        **{name: value for name, value in last.items() if name.startswith("seconds_")},
        **{f"{name}_{size}": value for size in sizes for name, value in found[size].items()},
    }
    publish(figures, LIBRARIES, given.json)


def measure(size: str, n_rows: int) -> dict[str, float]:
    """Select from a pool of so many rows; seconds, whole and by stage, peak memory, disk."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_project(folder, n_rows)
        seconds, peak = run(folder / "project")
        disk = sum(f.stat().st_size for f in (folder / "project/store").rglob("*") if f.is_file())
        return {
            "seconds": seconds,
            "peak_gb": peak / 1e9,
            "disk_gb": disk / 1e9,
            "file_gb": (folder / "pool.jsonl").stat().st_size / 1e9,
            **{f"seconds_{stage}": s for stage, s in seconds_by_stage(folder / "project").items()},
        }


def write_project(folder: Path, n_rows: int) -> None:
    """Write the rows, the target, and a project with one pool and one study."""
    write_pool(DATA / POOL, folder / "pool.jsonl", n_rows)
    texts = pq.read_table(DATA / "targets" / f"{TARGET}.parquet", columns=["text"])
    some = texts["text"].to_pylist()[:TARGET_ROWS]
    write_lines(folder / "target.jsonl", [{"text": text} for text in some])
    files = {
        "project.yaml": {"roots": [str(folder)]},
        "studies/pools/pool.yaml": {
            "name": "pool",
            "sources": [{"kind": "files", "path": str(folder / "pool.jsonl"), "name": "rows"}],
        },
        "studies/study.yaml": {
            "name": "study",
            "pool": "pool",
            "target": {
                "kind": "files",
                "path": str(folder / "target.jsonl"),
                "shares": ALL_STEER,
            },
            "trains": False,
            "embedder": EMBEDDER,
            "methods": METHODS,
            "budgets": [{"rows_share": 0.05}],
        },
    }
    for name, content in files.items():
        file = folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def run(project: Path) -> tuple[float, int]:
    """Seconds and peak bytes of selecting and writing all arms."""
    command = [sys.executable, "-m", "selection_assets.command.start", "run", "study"]
    environment = os.environ | {ROOT_VARIABLE: str(project)}
    environment.pop("DAGSTER_HOME", None)
    begun, peak = time.perf_counter(), 0
    with (
        (project / "run.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        while process.poll() is None:
            peak = max(peak, bytes_of_tree(process.pid))
            time.sleep(1 / LOOKS_PER_SECOND)
    if process.returncode:
        end = "\n".join((project / "run.log").read_text().splitlines()[-20:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
    return time.perf_counter() - begun, peak


def seconds_by_stage(project: Path) -> dict[str, float]:
    """Wall seconds of each asset, by the ledger."""
    ledger = open_ledger(project / "store")
    found = ledger.query(
        "SELECT asset, sum(wall_seconds) AS seconds FROM spend WHERE state = 'settled'"
        " GROUP BY asset ORDER BY seconds DESC"
    )
    return {row["asset"].rpartition("/")[2]: row["seconds"] for row in found}


if __name__ == "__main__":
    main()
