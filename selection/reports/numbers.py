"""How is a number written for people?"""

from __future__ import annotations

import math
from numbers import Integral


def number(value: float | None) -> str:
    """Format a number for people.

    Parameters
    ----------
    value : int, float, bool or None
        Counts, FLOPs, losses, shares, seconds; numpy scalars included.

    Returns
    -------
    str
        "—" for None, "yes"/"no" for bools, grouped digits for integers under a thousand million,
        otherwise "1.23e12" from a million up and below a thousandth, and four decimals
        under ten ("6.2041"), two up to a million ("412.35").
    """
    if value is None:
        return "—"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's is no int
        return "yes" if value else "no"
    if isinstance(value, Integral) and abs(int(value)) < 10**9:
        return f"{int(value):,}"
    real = float(value)
    size = abs(real)
    if not math.isfinite(real):
        return str(real)
    if size == 0.0:
        return "0"
    if size >= 1e6 or size < 1e-3:
        mantissa, exponent = f"{real:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{real:.4f}" if size < 10 else f"{real:,.2f}"
