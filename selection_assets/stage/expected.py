"""What a costly step is expected to take, before it starts."""

from dataclasses import dataclass

from selection.budget.amounts import Amount

MARGIN = 1.05
"""FLOPs are counted by formula beforehand; what is reserved above that covers rounding."""

SECONDS_MARGIN = 1.3
FIRST_SECONDS = 30.0
"""Reserved at least; a step that takes longer asks for more as it goes."""


@dataclass(frozen=True)
class Expected:
    """FLOPs of a step, by its accountant, and its seconds on this device where they are known."""

    flops: float
    seconds: float | None = None

    @property
    def upper(self) -> Amount:
        """What the step has reserved for it."""
        seconds = SECONDS_MARGIN * (self.seconds or 0.0)
        return Amount(MARGIN * self.flops, max(FIRST_SECONDS, seconds))
