"""How far do training seeds move the difference between two arms, when each has few of them?

Axis letters: M methods that ran at a budget, the reference not among them; B budgets at which the
reference ran; X any leading axes.

By its own three seeds an arm's variance has two degrees of freedom. Corrected for 44 arms the
quantile is then so far out that real differences are missed, and Satterthwaite's approximation is
wrong so far out, so that false ones pass. Seeds of other arms know more. But they may not know the
same: the reference draws other rows with each seed where most methods train on the same, so that
its variance may well be several times theirs, and every comparison shares it; nor need variances
agree between budgets. Two estimates are therefore made, and the larger counts:

- *apart*: the methods' mean variance at this budget, and the reference's mean over its own arms at
  all budgets;
- *alike*: the mean over all arms at this budget, the reference's among them, for both.

`benchmarks/verdicts.py` simulates what comes of it; `docs/statistics.md` has the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selection.judging.estimates import Part, together

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_SAME = 1 + 1e-9
"""With one method at one budget both estimates are the same but for rounding."""


def seed_spread(
    methods_XM: ArrayLike,
    seeds_M: ArrayLike,
    references_XB: ArrayLike,
    seeds_B: ArrayLike,
    *,
    at: int,
) -> Part:
    """Variance over seeds of each method's mean score minus the reference's, at one budget.

    Parameters
    ----------
    methods_XM : array_like of shape (..., n_methods)
        Variance of one score over each method's seeds at this budget, without bias.
    seeds_M : array_like of shape (n_methods,)
        How many seeds each has, two or more.
    references_XB, seeds_B : array_like of shape (..., n_budgets) and (n_budgets,)
        The same of the reference, at every budget at which it ran.
    at : int
        Which of these is this budget.

    Returns
    -------
    variance, freedom : np.ndarray of shape (..., n_methods), float64
    """
    methods_XM, references_XB = np.asarray(methods_XM, float), np.asarray(references_XB, float)
    seeds_M, seeds_B = np.asarray(seeds_M), np.asarray(seeds_B)
    n_reference = seeds_B[at]
    here_XA = np.concatenate([methods_XM, references_XB[..., [at]]], axis=-1)
    methods, references = _pooled(methods_XM, seeds_M), _pooled(references_XB, seeds_B)
    everyone, freedom = _pooled(here_XA, np.append(seeds_M, n_reference))
    apart, apart_freedom = together(
        (methods[0] / seeds_M, methods[1]), (references[0] / n_reference, references[1])
    )
    alike = everyone * (1 / seeds_M + 1 / n_reference)
    larger = alike > apart * _SAME
    return np.where(larger, alike, apart), np.where(larger, freedom, apart_freedom)


def _pooled(variance_XA: np.ndarray, seeds_A: np.ndarray) -> Part:
    """Mean variance, weighted by degrees of freedom, of shape (..., 1), and what it has of them."""
    freedom_A = seeds_A - 1
    mean = (variance_XA * freedom_A).sum(axis=-1, keepdims=True) / freedom_A.sum()
    return mean, int(freedom_A.sum())
