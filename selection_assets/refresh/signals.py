"""Has a signal asked to stop while something ran that may lose it?

Dagster takes signals in while a run goes on, and acts on them when the next step begins: of one
that comes once the last step is over nobody hears.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPPING = {signal.SIGINT, signal.SIGTERM}
_AT_ONCE = 4096


@contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """Note what asks to stop; what is yielded says whether a signal has, since it was last asked.

    Signals are noted where they reach the process, whatever their handlers make of them. They reach
    the main thread only: of any other, nothing is noted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)

        def asked_to_stop() -> bool:
            try:
                return not _STOPPING.isdisjoint(reader.recv(_AT_ONCE))
            except BlockingIOError:  # there was none
                return False

        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield asked_to_stop
        finally:
            signal.set_wakeup_fd(before)
