"""How long does `selection pick` take from files to a training file, and how much memory?

    python benchmarks/pick.py [--quick] [--json FILE]

Real rows of `../shared/data/pool_domains.parquet` as a file of JSON lines, 100,000 of them and,
without --quick, all 222,480; the target is `chemprot`, and then `sci_cite` on the same pool. Each
pick is the command itself in a process of its own, in a new project, on idle cores: the embedder is
distilled, the pool read, embedded and scored by optimal transport, and 5% of it written.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from harness import option_parser, publish

from resources.ledger.ledger import open_ledger
from resources.project import ROOT_VARIABLE

DATA = Path(__file__).resolve().parents[2] / "shared/data"
POOL, TARGETS = "pool_domains.parquet", ("chemprot", "sci_cite")
SIZES = {"100k": 100_000, "222k": 222_480}
TARGET_ROWS = 1_000
LOOKS_PER_SECOND = 2  # a look takes the process some of its time
LIBRARIES = ("dagster", "duckdb", "model2vec", "pyarrow", "tokenizers", "torch")


def main() -> None:
    """Measure, print and, with --json, write."""
    given = option_parser(__doc__).parse_args()
    figures: dict[str, float] = {}
    for size in ["100k"] if given.quick else SIZES:
        figures |= measure(size, SIZES[size])
    publish(figures, LIBRARIES, given.json)


def measure(size: str, n_rows: int) -> dict[str, float]:
    """Pick for two targets, one after the other, from a pool of so many rows."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        rows = pq.read_table(DATA / POOL, columns=["text"]).slice(0, n_rows)
        write_lines(folder / "pool.jsonl", [{"text": text} for text in rows["text"].to_pylist()])
        for target in TARGETS:
            texts = pq.read_table(DATA / "targets" / f"{target}.parquet", columns=["text"])
            some = texts["text"].to_pylist()[:TARGET_ROWS]
            write_lines(folder / f"{target}.jsonl", [{"text": text} for text in some])
        (folder / "project").mkdir()
        first, second = (pick(folder, target) for target in TARGETS)
        return {
            f"seconds_{size}": first[0],
            f"peak_gb_{size}": first[1] / 1e9,
            **{f"seconds_{size}_{step}": s for step, s in seconds_by_step(folder).items()},
            f"second_target_seconds{'' if size == '100k' else f'_{size}'}": second[0],
            f"second_target_peak_gb_{size}": second[1] / 1e9,
        }


def write_lines(file: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as JSON lines."""
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def pick(folder: Path, target: str) -> tuple[float, int]:
    """Seconds and peak bytes, of the process and its children together, of one pick."""
    command = [sys.executable, "-m", "selection_assets.command.start", "pick"]
    command += [str(folder / "pool.jsonl"), "--target", str(folder / f"{target}.jsonl")]
    command += ["--out", str(folder / f"picked_for_{target}")]
    environment = os.environ | {ROOT_VARIABLE: str(folder / "project")}
    environment.pop("DAGSTER_HOME", None)
    begun, peak = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, bytes_of_tree(process.pid))
            time.sleep(1 / LOOKS_PER_SECOND)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - begun, peak


def bytes_of_tree(pid: int) -> int:
    """Memory of a process and of all that it has started, what they share counted once."""
    total = 0
    try:
        top = psutil.Process(pid)
        for one in [top, *top.children(recursive=True)]:
            total += one.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass  # it has just ended
    return total


def seconds_by_step(folder: Path) -> dict[str, float]:
    """Wall seconds of each asset for the first target and the pool, by the ledger."""
    ledger = open_ledger(folder / "project/store")
    found = ledger.query(
        "SELECT asset, sum(wall_seconds) AS seconds FROM spend WHERE state = 'settled'"
        " GROUP BY asset ORDER BY seconds DESC"
    )
    other = f"pool_{TARGETS[1]}/"
    return {
        row["asset"].rpartition("/")[2]: row["seconds"]
        for row in found
        if not row["asset"].startswith(other)
    }


if __name__ == "__main__":
    main()
