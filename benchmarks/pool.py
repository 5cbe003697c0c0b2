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
from resources.store.artifacts import UNPARTITIONED
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
LOOKS_PER_SECOND = 2  # a look takes the process some of its time
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
        seconds, looks = run(folder / "project")
        disk = sum(f.stat().st_size for f in (folder / "project/store").rglob("*") if f.is_file())
        return {
            "seconds": seconds,
            "peak_gb": max(found for _, found in looks) / 1e9,
            "disk_gb": disk / 1e9,
            "file_gb": (folder / "pool.jsonl").stat().st_size / 1e9,
            **planned(folder / "project"),
            **by_stage(folder / "project", looks),
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


def run(project: Path) -> tuple[float, list[tuple[float, int]]]:
    """Seconds of selecting and writing all arms, and bytes by time, in seconds since the epoch."""
    command = [sys.executable, "-m", "selection_assets.command.start", "run", "study"]
    environment = os.environ | {ROOT_VARIABLE: str(project)}
    environment.pop("DAGSTER_HOME", None)
    begun, looks = time.perf_counter(), []
    with (
        (project / "run.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        while process.poll() is None:
            looks.append((time.time(), bytes_of_tree(process.pid)))
            time.sleep(1 / LOOKS_PER_SECOND)
    if process.returncode:
        end = "\n".join((project / "run.log").read_text().splitlines()[-20:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
    return time.perf_counter() - begun, looks


def planned(project: Path) -> dict[str, float]:
    """What the plan has said that it would take, in GB."""
    plan = open_ledger(project / "store").current("study/budget_plan", UNPARTITIONED)
    assert plan is not None
    found = plan.json("plan.json")["footprint"]
    return {f"planned_{name}_gb": found[name] / 1e9 for name in ("memory", "disk")}


def by_stage(project: Path, looks: list[tuple[float, int]]) -> dict[str, float]:
    """Seconds of each asset by the ledger, longest first, peak memory while it ran, and FLOPs."""
    found = open_ledger(project / "store").query(
        "SELECT asset, flops, wall_seconds, epoch(started_at) AS begun, epoch(ended_at) AS ended"
        " FROM spend WHERE state = 'settled'"
    )
    seconds: dict[str, float] = {}
    flops: dict[str, float] = {}
    peaks: dict[str, int] = {}
    for row in found:
        stage = row["asset"].rpartition("/")[2]
        seconds[stage] = seconds.get(stage, 0.0) + row["wall_seconds"]
        flops[stage] = flops.get(stage, 0.0) + (row["flops"] or 0.0)
        seen = [size for at, size in looks if row["begun"] <= at <= row["ended"]]
        peaks[stage] = max(seen, default=0)
    longest = sorted(seconds, key=seconds.__getitem__, reverse=True)
    return {
        **{f"seconds_{stage}": seconds[stage] for stage in longest},
        **{f"peak_gb_{stage}": peaks[stage] / 1e9 for stage in longest if peaks[stage]},
        **{f"flops_{stage}": flops[stage] for stage in longest if flops[stage]},
    }


if __name__ == "__main__":
    main()
