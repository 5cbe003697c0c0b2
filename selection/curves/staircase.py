"""Which arms are worth their cost: the non-dominated points of cost against score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np


class Point(NamedTuple):
    """One arm: what it cost and how well it did, with higher scores better.

    Attributes
    ----------
    cost : float
        Total cost, selection and training together, in FLOPs.
    score : float
        Higher is better; for a loss see `loss_point`.
    name : str
        The arm's method.
    low, high : float or None
        Interval of the score, where one is known.
    """

    cost: float
    score: float
    name: str
    low: float | None = None
    high: float | None = None


# Any row that starts with (cost, score) will do: a Point, a plain pair, a row of an array.
P = TypeVar("P", bound="Sequence[Any] | np.ndarray")


def loss_point(
    cost: float, loss: float, name: str, *, low: float | None = None, high: float | None = None
) -> Point:
    """Point of a quantity of which less is better: its score is minus the loss.

    Parameters
    ----------
    cost : float
        Total cost in FLOPs.
    loss : float
        Loss, in nats per token or any other unit.
    name : str
        The arm's method.
    low, high : float, optional
        Interval of the *loss*.

    Returns
    -------
    Point
        With score ``-loss`` and the interval's ends negated and swapped.
    """
    return Point(cost, -loss, name, None if high is None else -high, None if low is None else -low)


def frontier(points: Iterable[P]) -> list[P]:
    """Points that no other point dominates, by rising cost.

    A point dominates another when it costs no more and scores no less, and differs in at least
    one of the two. Points equal in both are all kept: neither dominates the other.

    Parameters
    ----------
    points : iterable of Point
        Or of any rows whose first two fields are (cost, score), with higher scores better.

    Returns
    -------
    list
        The same objects, by strictly rising cost and score but for exact ties, which are ordered
        by their remaining fields.

    Raises
    ------
    ValueError
        If a cost or score is not finite.
    """
    rows = list(points)
    for row in rows:
        if not (math.isfinite(row[0]) and math.isfinite(row[1])):
            raise ValueError(f"{row} has a cost or score that is not finite: leave that arm out.")
    # The remaining fields are compared as text because low and high may be None.
    rows.sort(key=lambda row: (row[0], -row[1], str(tuple(row[2:]))))
    kept: list[P] = []
    for row in rows:
        ties_last = kept and (row[0], row[1]) == (kept[-1][0], kept[-1][1])
        if not kept or row[1] > kept[-1][1] or ties_last:
            kept.append(row)
    return kept
