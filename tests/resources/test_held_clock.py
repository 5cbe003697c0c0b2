"""The clock of what holds the device: work counts and waiting counts, being stopped does not."""

import os
import signal
import time

from real_processes import Child

from resources.held_clock import HeldClock

TICK = 0.02

TELL = """
import sys
from resources.held_clock import HeldClock

clock = HeldClock(tick_seconds=float(sys.argv[1]))
clock.start()
for _ in sys.stdin:
    print(clock.seconds(), flush=True)
"""


def ask(process: Child) -> float:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.next_line())


def test_the_time_in_which_a_process_was_stopped_is_not_counted():
    process = Child(TELL, TICK)
    ask(process)
    told, before = time.monotonic(), ask(process)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGCONT)
    assert ask(process) - before < 0.75 < time.monotonic() - told
    process.end()


def test_waiting_and_work_that_lets_no_other_thread_run_are_counted():
    clock = HeldClock(tick_seconds=TICK)
    clock.start()
    started = time.monotonic()
    time.sleep(10 * TICK * 2)
    waited = time.monotonic() - started
    assert clock.seconds() >= 0.9 * waited
    used, held, exponent = time.process_time(), clock.seconds(), 100_000
    while time.process_time() - used < 20 * TICK:  # one call that holds the interpreter's lock
        used, held, exponent = time.process_time(), clock.seconds(), 2 * exponent
        assert 3**exponent
    assert clock.seconds() - held >= 0.9 * (time.process_time() - used)
    clock.stop()
