"""While a step waits for the device: who holds it, and do they still live?"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from resources.dead_runs import PROCESS_TAG, clear_dead_runs, process_tags
from resources.ledger.database import LedgerBusy
from resources.ledger.loss import LedgerLost
from resources.ledger.losses import HeldSpend
from resources.ledger.spending import Spending
from selection.basics.text import printable
from selection_assets.stage.asset import GPU_POOL

LOOK_EVERY = 10.0
"""Seconds."""


@contextmanager
def watched_waiting(
    instance: dg.DagsterInstance, spending: Spending, say: Callable[[str], object]
) -> Iterator[None]:
    """Look meanwhile whether a step of this process waits; tell whom it waits for.

    Dagster waits without a word, and for ever where the holder was killed: then that run is failed
    here, as a daemon would.

    Parameters
    ----------
    say : is told each holder once.
    """
    storage = instance.event_log_storage
    over = threading.Event()
    told: set[str] = set()

    def look() -> None:
        pool = storage.get_concurrency_info(GPU_POOL)
        if not _ours(instance, pool.pending_run_ids):
            return
        # One that was killed when its turn had come holds the device as well.
        holders = pool.active_run_ids | pool.assigned_run_ids
        at_work = {spend.run_id: spend for spend in spending.held()}
        for run_id in sorted(holders - told):
            who = _described(instance, run_id, at_work.get(run_id))
            say(f"waiting for the device, which {who} holds")
        told.update(holders)
        clear_dead_runs(instance, spending)

    def look_again_and_again() -> None:
        while not over.wait(LOOK_EVERY):
            try:
                look()
            except (LedgerBusy, LedgerLost, SQLAlchemyError):
                continue  # the step that waits will say so, when it comes to it

    thread = threading.Thread(target=look_again_and_again, name="watched_waiting", daemon=True)
    if storage.supports_global_concurrency_limits:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


def _ours(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> bool:
    """Whether this process executes one of some runs."""
    tags = process_tags().items()
    runs = [instance.get_run_by_id(run_id) for run_id in run_ids]
    return any(run is not None and tags <= run.tags.items() for run in runs)


def _described(instance: dg.DagsterInstance, run_id: str, at_work: HeldSpend | None) -> str:
    said = f"run {run_id[:8]}"
    if at_work is not None:
        what = f"{at_work.asset} [{at_work.partition}]"
        return f"{said} (process {at_work.pid}: {printable(what)})"
    run = instance.get_run_by_id(run_id)
    process = run.tags.get(PROCESS_TAG) if run is not None else None
    return said + (f" (process {process})" if process else "")
