"""Dagster's daemon, which ends with the UI that has started it, however that ends.

One that is left over takes runs from the next UI's, and starts them by a code server that is gone.
"""

import os
import signal
import sys
import threading

from dagster._daemon.cli import main


def _end_with_the_ui() -> None:
    sys.stdin.buffer.read()  # nothing is ever written: it ends when the writer does
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_ui, name="end_with_the_ui", daemon=True).start()
    main()
