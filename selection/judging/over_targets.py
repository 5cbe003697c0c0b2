"""How much better than random is a method on targets like these?

Axis letters: T targets, X any leading axes. Which interval is honest for the mean, over four or
five targets, of a method's loss minus random's depends on what it shall hold for. One that
resamples only seeds and examples holds for exactly these targets, and says little of the next; here
targets are a sample, and the interval is for the mean over targets like them.

Seeds are not nested in targets: seed s of random draws the very same rows for every target of a
pool, and warm-ups with one seed see batches in one order. An effect of the seed that all targets
share is in no difference between them. Targets and seeds are therefore crossed factors, as in
`intervals`: the variance between targets, and that of the mean between seeds, which `seed_spread`
tells from all arms, are added. That counts their interaction twice and so errs on the wide side.
Examples need no part of their own: their noise differs between targets.

The degrees of freedom are T - 1, those of the targets' part, and not Satterthwaite's: where two
targets agree by chance the seeds' part would be the larger, and would lend the sum degrees of
freedom that it has not. By simulation (`benchmarks/verdicts.py`) almost every second family of 44
means over two targets had then a false verdict after Holm's correction.
"""

from __future__ import annotations

import math

import numpy as np

from selection.judging.estimates import Estimate, Part


def mean_spread(difference_XT: np.ndarray, of_seeds_X: np.ndarray | float) -> Part:
    """Variance of the mean over targets like these and over seeds, and its degrees of freedom.

    Parameters
    ----------
    difference_XT : np.ndarray of shape (..., T)
        Loss differences, each the mean over seeds; T is 2 or more.
    of_seeds_X : np.ndarray of shape (...)
        Variance over seeds of their mean over the targets.

    Returns
    -------
    variance : np.ndarray of shape (...), float64
    freedom : int
    """
    n_targets = difference_XT.shape[-1]
    return difference_XT.var(axis=-1, ddof=1) / n_targets + of_seeds_X, n_targets - 1


def mean_difference(difference_T: np.ndarray, of_seeds: float) -> Estimate:
    """Mean with its error, over targets like these and training seeds.

    Parameters
    ----------
    difference_T, of_seeds
        As in `mean_spread`; T may be 1.

    Returns
    -------
    Estimate
        Its error is infinite when T is 1: one target tells nothing of others.

    Raises
    ------
    ValueError
        If there is no target, or a value that is not finite.
    """
    if difference_T.ndim != 1 or len(difference_T) < 1:
        raise ValueError(f"differences of shape {difference_T.shape}: give one for each target.")
    if not np.isfinite(difference_T).all():
        raise ValueError("a loss difference is not finite: leave out the arm that diverged.")
    mean = float(difference_T.mean())
    if len(difference_T) == 1:
        return Estimate(mean, math.inf, 1.0)
    return Estimate.of(mean, mean_spread(difference_T, of_seeds))
