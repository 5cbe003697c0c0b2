"""How much work is, and what it counts against a cap in FLOPs, device-hours or money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

SECONDS_AN_HOUR = 3600.0

Unit = Literal["flops", "device_hours", "usd"]


@dataclass(frozen=True)
class Amount:
    """Work that was done, or that may be done.

    Attributes
    ----------
    flops : floating point operations, by the accountant of whoever counted.
    seconds : of holding the device.
    """

    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        """Add part by part."""
        return Amount(self.flops + other.flops, self.seconds + other.seconds)

    def beyond(self, other: Amount) -> Amount:
        """What of this exceeds the other, part by part."""
        return Amount(max(0.0, self.flops - other.flops), max(0.0, self.seconds - other.seconds))

    def at_most(self, other: Amount) -> Amount:
        """The smaller of both, part by part."""
        return Amount(min(self.flops, other.flops), min(self.seconds, other.seconds))

    def __bool__(self) -> bool:
        """Whether there is any work at all."""
        return bool(self.flops > 0 or self.seconds > 0)  # numpy's truth is no bool of Python's


@dataclass(frozen=True)
class Cap:
    """The most that a study may spend in all, selection and everything after it together.

    Attributes
    ----------
    unit : what is capped.
    limit : how much of it.
    usd_per_device_hour : turns device time into money; None where there is no price.
    """

    unit: Unit
    limit: float
    usd_per_device_hour: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be enforced."""
        if not 0 < self.limit < math.inf:
            raise ValueError(f"a cap must be positive and finite, got {self.limit}")
        if self.unit == "usd" and self.usd_per_device_hour is None:
            raise ValueError("a cap in usd needs `usd_per_device_hour`, the price of the device")

    def charge(self, amount: Amount) -> float:
        """What an amount of work counts against this cap, in the cap's unit."""
        if self.unit == "flops":
            return amount.flops
        hours = amount.seconds / SECONDS_AN_HOUR
        if self.unit == "device_hours":
            return hours
        assert self.usd_per_device_hour is not None
        return hours * self.usd_per_device_hour

    def show(self, value: float) -> str:
        """A value in the cap's unit, as messages write it."""
        names = {"flops": "FLOPs", "device_hours": "device-hours", "usd": "USD"}
        digits = ".3g" if self.unit == "flops" else ".4g"
        return f"{value:{digits}} {names[self.unit]}"


def loss_bound(reserved: Amount, begun: Amount, *, unseen_seconds: float) -> Amount:
    """What a step that died has cost at most, as far as anybody can know.

    Parameters
    ----------
    reserved : the step could not spend more without asking.
    begun : work begun, and seconds gone, at its last sign of life; nothing when it never gave one.
    unseen_seconds : the time between two signs of life, in which it worked on unseen.

    Returns
    -------
    Amount
        The work begun, and what the step can have done at its average rate until its next sign of
        life; the whole reservation where no rate is known.
    """
    if not begun.seconds > 0:
        return reserved
    until = begun.seconds + unseen_seconds
    # A step that counts no FLOPs as it goes may have done all of them.
    flops = begun.flops * until / begun.seconds if begun.flops > 0 else reserved.flops
    return Amount(flops, until).at_most(reserved)
