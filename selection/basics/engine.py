"""Who computes the blocks of long work: this process, or several beside it?"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Engine(Protocol):
    """Maps a function over blocks; what it gives is the same whoever computes it."""

    @property
    def here(self) -> bool:
        """Whether this process computes everything itself."""
        ...

    @property
    def near(self) -> bool:
        """Whether who computes sees the files of this machine."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether who computes keeps `call` from block to block, however large a model it holds."""
        ...

    def each(self, call: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """Give the results in the order of the items, of which few more are taken than are done.

        Parameters
        ----------
        call : depends on its argument alone; it goes to other processes by pickling.
        """
        ...


@dataclass(frozen=True)
class LocalEngine:
    """Processes of this machine.

    Attributes
    ----------
    workers : how many; with one, everything is computed here.
    """

    workers: int = 1

    @property
    def here(self) -> bool:
        """Whether there is one."""
        return self.workers == 1

    @property
    def near(self) -> bool:
        """Always."""
        return True

    @property
    def keeps(self) -> bool:
        """Whether there is one: the others get it with each block."""
        return self.here

    def each(self, call: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """Give the results in order, see `Engine`."""
        coming = iter(items)
        first = list(islice(coming, 2))
        if self.here or len(first) < 2:  # to start processes takes a second
            yield from map(call, chain(first, coming))
            return
        from joblib import Parallel, delayed

        # Each block is a task by itself: it takes long enough.
        options: Any = {"batch_size": 1, "pre_dispatch": "2 * n_jobs", "return_as": "generator"}
        parallel: Any = Parallel(n_jobs=self.workers, **options)
        results = parallel(delayed(_beside)(call, item) for item in chain(first, coming))
        try:
            for result in results:  # noqa: UP028 (`yield from` would end it, with the warning)
                yield result
        finally:
            # Who stops before the end, such as at a cap, knows it without joblib's warning.
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                results.close()


def _beside(call: Callable[[ItemT], ResultT], item: ItemT) -> ResultT:
    """Call in a worker, which Ctrl-C reaches as well: who has started it ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return call(item)


HERE = LocalEngine()
"""This process alone."""
