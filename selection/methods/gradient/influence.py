"""How much a step on a row would lower the target's loss (LESS, arXiv 2402.04333, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_CHUNK_ROWS = 256  # float64 copies of so many rows at a time


def subtask_means(gradients: np.ndarray, subtasks: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Average the examples' unit gradients inside each subtask.

    A row's mean cosine to the examples of a subtask is its product with this mean.

    Parameters
    ----------
    gradients : np.ndarray of shape (m, C, D), float
        Of each example at each checkpoint, of length one or zero.
    subtasks : sequence of str, length m

    Returns
    -------
    names : list of str, length S
        Sorted.
    means : np.ndarray of shape (S, C, D), float32
    """
    names = sorted(set(subtasks))
    label = np.asarray(subtasks)
    means = [gradients[label == name].mean(axis=0, dtype=np.float64) for name in names]
    return names, np.stack(means).astype(np.float32)


def influence(features: np.ndarray, means: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Influence of each row on each subtask.

    ``sum_c w_c mean_j cos(row_c, example_jc)``, w the learning rates over their sum.

    Parameters
    ----------
    features : np.ndarray of shape (n, C, D), float
        Rows' projected gradients; their lengths do not matter.
    means : np.ndarray of shape (S, C, D)
        From `subtask_means`.
    rates : np.ndarray of shape (C,)
        Mean learning rate of the stretch that ended in each checkpoint.

    Returns
    -------
    np.ndarray of shape (n, S), float64
    """
    weights = np.asarray(rates, dtype=np.float64) / np.sum(rates)
    weighted = (means.astype(np.float64) * weights[:, None]).reshape(len(means), -1)
    found = np.empty((len(features), len(means)))
    for start in range(0, len(features), _CHUNK_ROWS):
        some = np.asarray(features[start : start + _CHUNK_ROWS], dtype=np.float64)
        lengths = np.linalg.norm(some, axis=2, keepdims=True)
        # The gradient of a row that teaches nothing is zero, and so is its cosine to anything.
        some = some / np.where(lengths > 0, lengths, 1.0)
        found[start : start + _CHUNK_ROWS] = some.reshape(len(some), -1) @ weighted.T
    return found


def influence_flops(n_rows: int, checkpoints: int, dimensions: int, subtasks: int) -> float:
    """Products with every subtask's mean, and each row's length."""
    return 2.0 * n_rows * checkpoints * dimensions * (subtasks + 1)
