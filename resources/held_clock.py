"""How long has this process held the device, not counting the time in which it was stopped?"""

import threading
import time

TICK_SECONDS = 0.25

LONG_GAP = 8
"""Ticks: so long no thread is kept from its turn, unless another one is at work all the time."""

AT_WORK = 0.1
"""Share of a long gap in processor time from which on the process was at work in it."""


class HeldClock:
    """Seconds that a process has held the device, by a monotonic clock that ticks.

    A thread reads the clock all the time. Where it has not come to do so for long, the process was
    stopped (SIGSTOP, a frozen container), or a long call kept all other threads from running. The
    second uses the processor and counts as ever; of the first only its processor time counts. The
    sleep of a whole machine is none of a monotonic clock's time on Linux.

    It ticks once it is started; read otherwise, it takes long idle times for a stop.
    """

    def __init__(self, *, tick_seconds: float = TICK_SECONDS) -> None:
        self._tick_seconds = tick_seconds
        self._held = 0.0
        self._read_at, self._used = time.monotonic(), time.process_time()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="held clock", daemon=True)

    def start(self) -> None:
        """Start to tick."""
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking."""
        self._over.set()
        self._thread.join()

    def seconds(self) -> float:
        """Held until now."""
        with self._lock:
            now, used = time.monotonic(), time.process_time()
            gap, worked = now - self._read_at, used - self._used
            self._read_at, self._used = now, used
            if gap > LONG_GAP * self._tick_seconds and worked < AT_WORK * gap:
                gap = min(gap, worked + self._tick_seconds)
            self._held += gap
            return self._held

    def _tick(self) -> None:
        while not self._over.wait(self._tick_seconds):
            self.seconds()
