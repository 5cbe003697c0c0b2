"""From which total budget does the costlier of two ways to choose rows pay off?"""

from __future__ import annotations

import math


def crossing(rate_a: float, rate_b: float, selection_a: float, selection_b: float) -> float | None:
    """Total cost at which two methods' curves meet, both having begun to train.

    With a total cost C, of which S goes into selection, a method's curve is P(C - S). Where two
    methods share P_0 and P_max the curves meet when their exponents do:
    ``rate_a (C - S_a) = rate_b (C - S_b)``. Below that cost the method of the lower rate is ahead,
    above it the other.

    Parameters
    ----------
    rate_a, rate_b : float
        Each method's lambda, positive, both over the same ``cost_full``.
    selection_a, selection_b : float
        What each method's selection costs, in FLOPs, 0 or more.

    Returns
    -------
    float or None
        FLOPs, more than either selection cost. None where there is no such cost: the rates are
        equal, or the method that selects for less also learns faster, or both select for the same
        cost and so part where they begin.

    Raises
    ------
    ValueError
        If a rate is not positive and finite, or a selection cost negative or not finite.
    """
    for name, rate in (("rate_a", rate_a), ("rate_b", rate_b)):
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"{name} is {rate}, and a rate must be positive: fit it first.")
    for name, cost in (("selection_a", selection_a), ("selection_b", selection_b)):
        if not (math.isfinite(cost) and cost >= 0):
            raise ValueError(f"{name} is {cost}, and a selection cost must be 0 FLOPs or more.")
    if rate_a == rate_b or selection_a == selection_b:
        return None
    # Measured from the larger selection cost: the textbook quotient of two large differences loses
    # the few FLOPs that decide whether the curves meet before or after it.
    (cheap_rate, cheap), (dear_rate, dear) = sorted(
        ((rate_a, selection_a), (rate_b, selection_b)), key=lambda pair: pair[1]
    )
    if dear_rate < cheap_rate:
        return None
    beyond = cheap_rate / (dear_rate - cheap_rate) * (dear - cheap)
    met = dear + beyond
    return met if dear < met < math.inf else None
