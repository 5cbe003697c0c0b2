"""What does it cost to write to the ledger while others write and read?

Every write is a transaction of its own, on a file that admits one process at a time. Lots of one
writer alone and of four writers with a reader take turns on one ledger, so that both meet the same
machine and the same size. A writer does what a step does: it reserves, then settles, an entry
each; the reader asks for all spending, as `selection ledger` does, again and again.
"""

import statistics
import tempfile
import time
from concurrent.futures import wait
from contextlib import ExitStack
from itertools import chain
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

from harness import own_process, parse_arguments, publish

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.lineage import spending
from resources.ledger.spends import Cost, Spender
from selection.budget.amounts import Amount, Cap

WRITERS = 4
ROUNDS, QUICK_ROUNDS = 25, 5
ENTRIES_ALONE, ENTRIES_TOGETHER = 100, 200
"""Of a round: 2,500 and 5,000 in all."""

READER_RESTS_SECONDS = 0.05
"""A process that waits for something by looking again and again would look no more often."""

CAP = Cap("flops", 1e30)
LIBRARIES = ("duckdb", "filelock")

# Of a process that writes or reads.
_ledger: Ledger
_spender: Spender
_written_all: Event


def main() -> None:
    """Measure, print and, with --json, write."""
    arguments = parse_arguments(__doc__)
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        publish(measure(Path(folder), rounds), LIBRARIES, arguments.json)


def measure(root: Path, rounds: int) -> dict[str, float]:
    """Let the two kinds of lot take turns; returns the figures."""
    open_ledger(root).verify()
    alone, together, reads = [], [], []
    of_one, of_four, of_all = [], [], []
    written_all = get_context("spawn").Event()
    with ExitStack() as stack:
        *writers, reader = (
            stack.enter_context(own_process(start, root, f"process{number}", written_all))
            for number in range(WRITERS + 1)
        )
        wait([process.submit(write, 0) for process in (*writers, reader)])
        for _ in range(rounds):
            started = time.perf_counter()
            alone.append(writers[0].submit(write, ENTRIES_ALONE).result())
            of_one.append((time.perf_counter() - started) / ENTRIES_ALONE)

            written_all.clear()
            started = time.perf_counter()
            reading = reader.submit(read)
            lots = [one.submit(write, ENTRIES_TOGETHER // WRITERS) for one in writers]
            together += [lot.result() for lot in lots]
            seconds = time.perf_counter() - started
            written_all.set()
            answers = reading.result()
            reads += answers
            of_four.append(seconds / ENTRIES_TOGETHER)
            of_all.append(seconds / (ENTRIES_TOGETHER + len(answers)))

    ledger = open_ledger(root)
    started = time.perf_counter()
    problems = ledger.verify()
    verified = time.perf_counter() - started
    kept = ledger.query("SELECT count(*) AS n FROM entry WHERE kind <> 'cap'")[0]["n"]
    written = rounds * (ENTRIES_ALONE + ENTRIES_TOGETHER)

    waits = [1e3 * seconds for lot in together for seconds in lot]
    fifth = max(1, rounds // 5)
    return {
        "entries by four writers": rounds * ENTRIES_TOGETHER,
        "entries by one writer alone": rounds * ENTRIES_ALONE,
        "entries lost": written - kept,
        "problems found by verifying": len(problems),
        "entries/s, one writer": 1 / statistics.median(of_one),
        "entries/s, four writers and a reader": 1 / statistics.median(of_four),
        "entries and reads/s, four writers and a reader": 1 / statistics.median(of_all),
        "time per entry, four writers and a reader over one": ratio(of_four, of_one),
        "time per entry or read, the same": ratio(of_all, of_one),
        "wait per entry alone, ms, median": 1e3 * statistics.median(chain.from_iterable(alone)),
        "wait per entry among four, ms, median": statistics.median(waits),
        "wait per entry among four, ms, 99th of 100": statistics.quantiles(waits, n=100)[98],
        "wait per entry among four, ms, worst": max(waits),
        "reads answered": len(reads),
        "wait per read, ms, median": 1e3 * statistics.median(reads),
        "wait per read, ms, worst": 1e3 * max(reads),
        "time per entry, last fifth of the rounds over the first": statistics.median(
            of_one[-fifth:]
        )
        / statistics.median(of_one[:fifth]),
        "seconds to verify it all": verified,
    }


def ratio(some: list[float], others: list[float]) -> float:
    """Median over the rounds."""
    return statistics.median(a / b for a, b in zip(some, others, strict=True))


def start(root: Path, name: str, written_all: Event) -> None:
    """Open the ledger in a process of its own."""
    global _ledger, _spender, _written_all
    _ledger, _written_all = open_ledger(root), written_all
    _spender = Spender("study", "study/thing", name, name, "cpu", caps={"study": CAP})


def write(entries: int) -> list[float]:
    """Make so many entries; returns the seconds that each took."""
    seconds = []
    for _ in range(entries // 2):
        started = time.perf_counter()
        spend = _ledger.spending.reserve(_spender, Amount(2.0, 2.0))
        reserved = time.perf_counter()
        _ledger.spending.settle(spend, Cost(1.0, "detailed", "cpu", 1.0, 1.0))
        seconds += [reserved - started, time.perf_counter() - reserved]
    return seconds


def read() -> list[float]:
    """Ask for all spending until all is written; returns the seconds that each answer took."""
    seconds = []
    while not _written_all.wait(READER_RESTS_SECONDS):
        started = time.perf_counter()
        spending(_ledger)
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
