"""Over how many targets must a pool's selection work be shared before a method pays?

What a method does to the pool alone (embeddings, gradient features) serves every target of that
pool, so that one of T targets pays ``C_pool / T + C_target`` for its selection. Under a total
budget K, the constraint of CCDS (arXiv 2410.16208), the method then trains with
``k(T) = K - C_target - C_pool / T`` and random with all of K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selection.curves.scores import ScoreCurve


# A score's cost comes back from a curve's inverse with an error of this share or less.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class BreakEven:
    """From how many targets a method is at least as good as random at the same total budget.

    Attributes
    ----------
    targets : float or None
        The smallest real T >= 1, infinite when no sharing is enough; None when it is not known.
    reason : str
        Why `targets` is infinite or None; empty otherwise.
    """

    targets: float | None
    reason: str = ""

    @property
    def whole_targets(self) -> float | None:
        """`targets` rounded up, as targets come."""
        if self.targets is None or math.isinf(self.targets):
            return self.targets
        return math.ceil(self.targets)


def amortised(pool: float, target: float, n_targets: float) -> float:
    """Selection FLOPs that one of `n_targets` targets pays.

    Parameters
    ----------
    pool : float
        FLOPs done once for all targets of the pool.
    target : float
        FLOPs done for each target.
    n_targets : float
        T, 1 or more.

    Raises
    ------
    ValueError
        If a cost is negative or not finite, or there is less than one target.
    """
    _check_cost("pool", pool)
    _check_cost("target", target)
    if not n_targets >= 1:
        raise ValueError(f"n_targets is {n_targets}, and a selection serves one target or more.")
    return pool / n_targets + target


def break_even(
    budget: float,
    *,
    pool: float,
    target: float,
    block: float,
    method: ScoreCurve,
    random: ScoreCurve,
) -> BreakEven:
    """Find the least number of targets from which on a method is no worse than random.

    With ``C_needed`` the training FLOPs at which the method reaches random's score at K, the arm
    is feasible and no worse when ``k(T) >= max(C_needed, block)``, which is
    ``T >= C_pool / (K - C_target - max(C_needed, block))`` while that denominator is positive.

    Parameters
    ----------
    budget : float
        K, total FLOPs of selection and training; at least one block.
    pool, target : float
        FLOPs of the method's selection that all targets share, and that each has of its own.
    block : float
        FLOPs of training on one packed block, the least that an arm can train on.
    method, random : ScoreCurve
        Scores by *training* FLOPs.

    Raises
    ------
    ValueError
        If a cost is negative or not finite, or the budget buys random no block.
    """
    _check_cost("pool", pool)
    _check_cost("target", target)
    if not (math.isfinite(block) and block > 0):
        raise ValueError(f"block is {block}, and training on a block costs more than 0 FLOPs.")
    if not (math.isfinite(budget) and budget >= block):
        raise ValueError(
            f"a budget of {budget:.4g} FLOPs buys random no block of {block:.4g}: raise the budget."
        )
    if budget - target < block:
        return BreakEven(
            math.inf, "each target's own part of the selection leaves no block to train on"
        )
    reached = method.cost_of(random.score(budget))
    if reached.beyond:
        return BreakEven(None, "random's score lies beyond what was measured of the method")
    spare = budget - target - max(reached.cost, block)
    if abs(spare) <= _ROUNDING * budget:  # a method that learns like random needs just what it has
        spare = 0.0
    if spare < 0 or (spare == 0 and pool > 0):
        return BreakEven(math.inf, "even with the pool's part for free it does not reach random")
    # Without a part to share the method pays at once; spare may be 0 there.
    return BreakEven(max(1.0, pool / spare) if pool > 0 else 1.0)


def _check_cost(name: str, cost: float) -> None:
    if not (math.isfinite(cost) and cost >= 0):
        raise ValueError(f"{name} is {cost}, and a selection costs 0 FLOPs or more.")
