"""How long-running work asks, as it goes, whether it may go on."""

from __future__ import annotations

from typing import Protocol


class BudgetExhausted(RuntimeError):
    """The work stopped at its reservation; what it had finished is kept for the next attempt."""


class Meter(Protocol):
    """Counts the FLOPs of work in small parts, each before it is done."""

    def affords(self, flops: float) -> bool:
        """Whether a part of this size may be begun now."""
        ...

    def charge(self, flops: float) -> None:
        """Count a part that is begun now.

        Raises
        ------
        BudgetExhausted
            When it may not be: the part must not be begun.
        """
        ...


class Unmetered:
    """Lets everything through: for the library used without a budget."""

    def affords(self, flops: float) -> bool:
        """Yes."""
        return True

    def charge(self, flops: float) -> None:
        """Count nothing."""


UNMETERED = Unmetered()
