"""Measuring finds the rate of work whose time is known, without a clock that anyone must trust."""

import pytest

from selection.planning import measuring
from selection.planning.measuring import PATIENCE, probe_seconds, probe_sizes

pytestmark = pytest.mark.usefixtures("patient")

FLOPS = 1e6


class Simulated:
    """Work of a known rate, in a time of its own."""

    def __init__(self, fixed: float, seconds_per_unit: float, first: float = 0.0) -> None:
        self.now, self.sizes = 0.0, []
        self.fixed, self.seconds_per_unit, self.first = fixed, seconds_per_unit, first

    def clock(self) -> float:
        return self.now

    def work(self, size: int = 1) -> float:
        self.now += self.fixed + size * self.seconds_per_unit + (0 if self.sizes else self.first)
        self.sizes.append(size)
        return size * FLOPS


@pytest.mark.parametrize("seconds_per_unit", [1e-5, 1e-3, 0.1, 3.0])
def test_the_rate_is_found_whatever_the_first_call_loads(seconds_per_unit):
    simulated = Simulated(0.3, seconds_per_unit, first=20.0)
    probed = probe_sizes(simulated.work, most=10**6, clock=simulated.clock)
    assert probed.rate.fixed_seconds == pytest.approx(0.3)
    assert probed.rate.seconds_per_flop == pytest.approx(seconds_per_unit / FLOPS)
    assert probed.seconds == simulated.now


@pytest.mark.parametrize("seconds_per_unit", [1e-5, 1e-3, 0.1])
def test_the_large_size_outlasts_the_small_one_by_enough_and_not_by_much(seconds_per_unit):
    simulated = Simulated(0.3, seconds_per_unit)
    probe_sizes(simulated.work, most=10**9, clock=simulated.clock)
    longer = max(simulated.sizes) * seconds_per_unit
    assert measuring.ENOUGH <= longer <= 9 * measuring.ENOUGH


def test_a_pause_of_the_machine_is_not_taken_for_work():
    simulated = Simulated(0.3, 0.01)

    def work(size: int) -> float:
        pause = 2.0 if len(simulated.sizes) == 2 else 0.0
        flops = simulated.work(size)
        simulated.now += pause
        return flops

    probed = probe_sizes(work, most=10**6, clock=simulated.clock)
    assert max(simulated.sizes) * 0.01 >= measuring.ENOUGH / 2
    assert probed.rate.seconds_per_flop == pytest.approx(0.01 / FLOPS)


def test_a_size_that_is_no_more_work_is_not_measured_however_long_it_takes():
    """Four texts may fill no more blocks than one, and a pause may fall into them."""
    simulated = Simulated(0.3, 0.01)

    def work(size: int) -> float:
        simulated.now += 2.0 if 1 < size <= 8 else 0.0
        return FLOPS * 8 if size <= 8 else simulated.work(size)

    probed = probe_sizes(work, most=10**6, clock=simulated.clock)
    assert probed.rate.seconds_per_flop > 0
    assert max(simulated.sizes) > 8


def test_every_call_is_charged():
    simulated = Simulated(0.3, 0.01)
    probed = probe_sizes(simulated.work, most=50, clock=simulated.clock)
    assert probed.flops == sum(simulated.sizes) * FLOPS
    assert max(simulated.sizes) == 50


def test_slow_work_is_not_repeated():
    simulated = Simulated(0.0, PATIENCE)
    probe_sizes(simulated.work, most=1000, clock=simulated.clock)
    assert simulated.sizes == [1, 1, 4]


def test_material_for_one_size_is_refused():
    with pytest.raises(ValueError, match="give it more than 1"):
        probe_sizes(Simulated(0.3, 0.01).work, most=1)


def test_work_without_flops_has_a_fixed_part_only():
    simulated = Simulated(0.3, 0.0, first=5.0)
    probed = probe_seconds(simulated.work, clock=simulated.clock)
    assert probed.rate.seconds(1e12) == pytest.approx(0.3)
    assert probed.flops == 0
