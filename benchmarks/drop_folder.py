"""How long does it take to look at a drop folder of many files, with a bad one of every kind?

    python benchmarks/drop_folder.py [--files 2000] [--run]

Prints what a tick of the sensor and `selection run --dry-run` took, and what they did not take;
with `--run`, what `selection run` took to the study's end: every file is a source of its own.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
from click.testing import CliRunner

# Kinds of files and ticks are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/helpers"))

from odd_files import NOT_READ, UNREADABLE, not_read
from small_project import enter
from ticks import LIBRARY, RAW_CORPUS, partitions, tick
from tiny_project import SOURCES, materialize, write_tiny_project

from selection_assets.command.cli import main as selection
from sensors.definitions import build_code_location

ROWS = 2000
"""In all, so that there are words enough to train on whatever the number of files."""


def main() -> None:
    """Fill a folder, and look at it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--run", action="store_true", help="run the study as well, for long")
    given = parser.parse_args()
    bad = len(NOT_READ) + 2  # with the wholly bad one, and the hidden ones as one
    with tempfile.TemporaryDirectory() as root:
        for project in enter(write_tiny_project(Path(root) / "project")):
            folder = project.root / "drop"
            rows = -(-ROWS // given.files)
            for number in range(given.files - bad - len(SOURCES)):
                texts = [
                    f"What there is to say about number {number * rows + n}." for n in range(rows)
                ]
                lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
                (folder / f"source_{number}.jsonl").write_text(lines)
            (folder / "bad.jsonl").write_text(UNREADABLE)
            with not_read(folder), project.instance() as instance:
                _tick_twice(instance)
                _dry_run()
                if given.run:
                    _run(instance)


def _tick_twice(instance: dg.DagsterInstance) -> None:
    begun = time.perf_counter()
    first = tick(LIBRARY, instance)
    seconds = time.perf_counter() - begun
    asked = first.run_requests or ()
    print(f"first tick: {seconds:.2f} s, {len(partitions(first)):,} sources in {len(asked):,} runs")
    instance.add_dynamic_partitions("library_source", ["bad"])
    materialize(build_code_location(), instance, RAW_CORPUS, "bad")
    begun = time.perf_counter()
    second = tick(LIBRARY, instance, first.cursor)
    seconds = time.perf_counter() - begun
    print(f"a tick after the bad file was read: {seconds:.2f} s\n{second.skip_message}")


def _dry_run() -> None:
    begun = time.perf_counter()
    result = CliRunner().invoke(selection, ["run", "small", "--dry-run"])
    seconds = time.perf_counter() - begun
    taken = result.stdout.count("raw_corpus [")
    print(f"--dry-run: {seconds:.2f} s, {taken:,} sources to be read")
    print(result.stdout.partition("small: would")[0])


def _run(instance: dg.DagsterInstance) -> None:
    begun = time.perf_counter()
    result = CliRunner().invoke(selection, ["run", "small"])
    seconds = time.perf_counter() - begun
    taken = len(instance.get_dynamic_partitions("library_source"))
    runs = instance.get_runs_count()
    print(
        f"run: {seconds:.2f} s in {runs:,} runs, ended with {result.exit_code},"
        f" {taken:,} sources taken"
    )
    print(result.output)


if __name__ == "__main__":
    main()
