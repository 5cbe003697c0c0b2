"""Where a row's perplexity lies in the pool's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BANDS = ("low", "mid", "high")


@dataclass(frozen=True)
class Distribution:
    """Perplexities of a whole pool.

    Attributes
    ----------
    sorted_log : np.ndarray of shape (N,), float64
        Natural logarithms of the perplexities (mean losses in nats), rising.
    """

    sorted_log: np.ndarray

    def doubled_rank(self, log_perplexity: np.ndarray) -> np.ndarray:
        """Twice the mid-rank, int64: rows below plus rows not above, from 0 to 2 N.

        Whole numbers, so that rows equally far from the median on either side tie exactly.
        """
        below = np.searchsorted(self.sorted_log, log_perplexity, side="left")
        not_above = np.searchsorted(self.sorted_log, log_perplexity, side="right")
        return below + not_above

    def quantile(self, log_perplexity: np.ndarray) -> np.ndarray:
        """Mid-rank quantile in [0, 1], float64: the share below and half the share that is equal.

        That of `scipy.stats.percentileofscore` with ``kind="mean"``.
        """
        return self.doubled_rank(log_perplexity) / (2 * len(self.sorted_log))

    def band(self, log_perplexity: np.ndarray) -> np.ndarray:
        """Name the third of the pool that each falls in: "low", "mid" (33.3 to 66.6 %), "high"."""
        thrice = 3 * self.doubled_rank(log_perplexity)
        n = len(self.sorted_log)
        return np.array(BANDS)[(thrice >= 2 * n).astype(int) + (thrice > 4 * n)]

    def score(self, log_perplexity: np.ndarray, band: str) -> np.ndarray:
        """Score by the band wanted, float64, higher is better.

        Parameters
        ----------
        band : {"low", "mid", "high"}
            low and high: minus and plus the log-perplexity; mid: minus the distance of the
            quantile to the median.

        Raises
        ------
        ValueError
            For another band.
        """
        if band == "low":
            return -log_perplexity
        if band == "high":
            return log_perplexity
        if band != "mid":
            raise ValueError(f"unknown band {band!r}; known: {', '.join(BANDS)}")
        n = len(self.sorted_log)
        return -np.abs(self.doubled_rank(log_perplexity) - n) / (2 * n)
