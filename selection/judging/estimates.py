"""A number, how far it may be off, and on how many degrees of freedom that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

Part = tuple[Any, Any]
"""A variance and its degrees of freedom: numbers, or arrays that broadcast."""


def together(*parts: Part) -> Part:
    """Sum of independent parts of a variance, with Satterthwaite's degrees of freedom.

    They are infinite where there is no variance at all.

    References
    ----------
    Satterthwaite 1946, "An Approximate Distribution of Estimates of Variance Components",
    Biometrics Bulletin 2(6).
    """
    variance = sum(np.asarray(part, np.float64) for part, _ in parts)
    weighted = sum(np.asarray(part, np.float64) ** 2 / freedom for part, freedom in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return variance, np.where(weighted > 0, variance**2 / weighted, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error.

    Attributes
    ----------
    value, error : float
        In the same units; an infinite error says that nothing is known.
    freedom : float
        Degrees of freedom of the error; infinite without any spread.
    """

    value: float
    error: float
    freedom: float

    @classmethod
    def of(cls, value: float, spread: Part) -> Self:
        """Take the error from a variance and its degrees of freedom."""
        variance, freedom = spread
        return cls(value, math.sqrt(variance), float(freedom))

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends of its interval of a nominal coverage, by Student's t."""
        from scipy.stats import t as student_t

        half = float(student_t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided, of zero: below ``1 - level`` where the interval leaves zero out."""
        from scipy.stats import t as student_t

        if self.error == 0.0:  # no spread: anything but zero is not zero
            return float(self.value == 0.0)
        return 2.0 * float(student_t.sf(abs(self.value) / self.error, self.freedom))
