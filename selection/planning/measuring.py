"""Time some work at two sizes on this device, in a few seconds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from selection.planning.rates import Rate, fit_rate

ENOUGH = 0.5
"""Seconds by which the large size must outlast the small one: far more than a clock's noise."""

PATIENCE = 4.0
"""Seconds of one call from which on it is not repeated."""

REPEATS = 3


@dataclass(frozen=True)
class Probed:
    """A rate, and what measuring it took: probing computes too, and is charged."""

    rate: Rate
    flops: float
    seconds: float


def probe_sizes(
    work: Callable[[int], float],
    *,
    most: int,
    smallest: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Probed:
    """Measure work at its smallest size and at one that takes noticeably longer.

    The first call is not timed: it loads libraries and warms caches up. Then the size grows until
    it takes `ENOUGH` longer; medians of `REPEATS` calls count.

    Parameters
    ----------
    work : callable
        Does all of it for a size, from the beginning until its result is in memory or on disk, and
        gives its FLOPs.
    most : int
        Largest size that there is material for.
    smallest : int
        Size that takes little beside the fixed part.
    clock : callable
        Gives seconds.

    Raises
    ------
    ValueError
        When there is material for one size only.
    """
    if most <= smallest:
        raise ValueError(
            f"a probe needs two sizes and has material for {most}; give it more than {smallest}"
        )
    began = clock()
    spent = work(smallest)

    def timed(size: int) -> tuple[float, float]:
        nonlocal spent
        before = clock()
        flops = work(size)
        spent += flops
        return flops, clock() - before

    small, size, growth = [timed(smallest)], smallest, 4
    while True:
        size = min(size * growth, most)
        large = [timed(size)]
        longer = large[0][1] - small[0][1]
        # The next size may be no more work, as of texts that fill several blocks each.
        more = large[0][0] > small[0][0]
        if (more and longer >= ENOUGH) or size == most:
            # A pause of a busy machine looks like work until it is looked at again.
            while len(large) < REPEATS and large[0][1] < PATIENCE:
                small.append(timed(smallest))
                large.append(timed(size))
            longer = _median(large)[1] - _median(small)[1]
            if longer >= ENOUGH / 2 or size == most:
                break
        growth = min(8, max(2, math.ceil(ENOUGH / longer))) if longer > 0 else 8
    rate = fit_rate(_median(small), _median(large))
    return Probed(rate, spent, clock() - began)


def probe_seconds(
    work: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter
) -> Probed:
    """Measure work that is always the same and that no accountant charges for."""
    began = clock()
    work()
    seconds = []
    while not seconds or (len(seconds) < REPEATS and seconds[0] < PATIENCE):
        before = clock()
        work()
        seconds.append(clock() - before)
    return Probed(Rate(statistics.median(seconds), 0.0), 0.0, clock() - began)


def _median(measured: list[tuple[float, float]]) -> tuple[float, float]:
    return measured[0][0], statistics.median(seconds for _, seconds in measured)
