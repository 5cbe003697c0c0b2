"""What does it cost to write to the ledger while others write and read?

Every write is a transaction of its own, on a file that admits one process at a time. Lots of one
writer alone and of four writers with a reader take turns on one ledger, so that both meet the same
machine and the same size. A writer does what a step does: it reserves, then settles, an entry
each; the reader asks for all spending, as `selection ledger` does, again and again.
"""

import multiprocessing
import statistics
import tempfile
import time
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import parse_arguments, publish

from resources.ledger.ledger import open_ledger
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


def main() -> None:
    """Measure, print and, with --json, write."""
    arguments = parse_arguments(__doc__)
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        publish(measure(Path(folder), rounds), LIBRARIES, arguments.json)


def measure(root: Path, rounds: int) -> dict[str, float]:
    """Let the two kinds of lot take turns; returns the figures."""
    open_ledger(root).verify()
    writers = [Process(write, root, f"writer{number}") for number in range(WRITERS)]
    reader = Process(read, root, "reader")
    alone, together, reads = [], [], []
    of_one, of_four, of_all = [], [], []
    for _ in range(rounds):
        started = time.perf_counter()
        alone.append(writers[0].ask(ENTRIES_ALONE))
        of_one.append((time.perf_counter() - started) / ENTRIES_ALONE)

        started = time.perf_counter()
        reader.begin(1)
        for writer in writers:
            writer.begin(ENTRIES_TOGETHER // WRITERS)
        together += [writer.answer() for writer in writers]
        seconds = time.perf_counter() - started
        answers = reader.ask(0)
        reads += answers
        of_four.append(seconds / ENTRIES_TOGETHER)
        of_all.append(seconds / (ENTRIES_TOGETHER + len(answers)))
    for process in (*writers, reader):
        process.end()

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


class Process:
    """Another process that does a lot of work when it is asked to."""

    def __init__(self, work: Any, root: Path, name: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(theirs, root, name), daemon=True)
        self._process.start()
        assert self._ours.recv() == "ready"

    def begin(self, number: int) -> None:
        """Ask for so much work, without waiting."""
        self._ours.send(number)

    def answer(self) -> list[float]:
        """Wait for the seconds that each piece took."""
        return self._ours.recv()

    def ask(self, number: int) -> list[float]:
        """Ask for so much work and wait for it."""
        self.begin(number)
        return self.answer()

    def end(self) -> None:
        """Stop it."""
        self._ours.send(None)
        self._process.join()


def write(orders: Connection, root: Path, name: str) -> None:
    """Make as many entries as ordered, and say how long each took."""
    budget = open_ledger(root).spending
    spender = Spender("study", "study/thing", name, name, "cpu", caps={"study": CAP})
    orders.send("ready")
    while (entries := orders.recv()) is not None:
        seconds = []
        for _ in range(entries // 2):
            started = time.perf_counter()
            spend = budget.reserve(spender, Amount(2.0, 2.0))
            reserved = time.perf_counter()
            budget.settle(spend, Cost(1.0, "detailed", "cpu", 1.0, 1.0))
            seconds += [reserved - started, time.perf_counter() - reserved]
        orders.send(seconds)


def read(orders: Connection, root: Path, _: str) -> None:
    """Ask for all spending until told to stop, and say how long each answer took."""
    ledger = open_ledger(root)
    orders.send("ready")
    while orders.recv() is not None:
        seconds = []
        while not orders.poll(READER_RESTS_SECONDS):
            started = time.perf_counter()
            spending(ledger)
            seconds.append(time.perf_counter() - started)
        orders.recv()
        orders.send(seconds)


if __name__ == "__main__":
    main()
