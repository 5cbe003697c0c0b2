"""Overlap: tokens are read a step ahead of the model, and batches run side by side on a CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_LANES = 8
"""More would wait for each other, since Python starts one kernel at a time."""


@contextmanager
def one_lane() -> Iterator[tuple[Executor, int]]:
    """Run one batch at a time, beside the thread that reads tokens."""
    with ThreadPoolExecutor(1, thread_name_prefix="embed") as pool:
        yield pool, 1


@contextmanager
def torch_lanes() -> Iterator[tuple[Executor, int]]:
    """Share torch's threads among as many batches at a time.

    A batch on one core never waits for another core at the end of each kernel, as a batch on all
    cores does hundreds of times, and its activations stay in that core's cache.
    """
    import torch

    threads = torch.get_num_threads()
    lanes = min(threads, MAX_LANES)
    try:
        with ThreadPoolExecutor(
            lanes, "embed", initializer=torch.set_num_threads, initargs=(threads // lanes,)
        ) as pool:
            yield pool, lanes
    finally:
        torch.set_num_threads(threads)  # what a lane sets is the default of later threads


def in_order(
    pool: Executor, call: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Map `call` over `items` on the pool; results come in order.

    Unlike `Executor.map` it takes an item only when fewer than `ahead` are under way, so that
    memory holds a few and not all of them.
    """
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
