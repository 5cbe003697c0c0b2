"""A step whose run is gone: it stops by itself, since nobody else would stop it."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess


def stop_with_the_run() -> None:
    """Interrupt this process, as Dagster does, once the process that executes its run is gone.

    Dagster starts a step of the UI in a process of its own and stops it from the run's. When that
    is killed, the step would go on, hold the device, and pay for work that others may do again. In
    the run's own process nothing is to be done.
    """
    executing = multiprocessing.parent_process()
    if executing is not None:
        threading.Thread(
            target=_interrupt_after, args=[executing], name="orphaned", daemon=True
        ).start()


def _interrupt_after(executing: BaseProcess) -> None:
    executing.join()
    os.kill(os.getpid(), signal.SIGINT)
