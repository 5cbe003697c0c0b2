"""How long does it take to draw one of a stage's pictures?"""

from __future__ import annotations

import numpy as np

from selection.planning.measuring import Probed, probe_seconds
from selection.reports.plots.scores import score_distributions


def probe_picture() -> Probed:
    """Measure the box plot of a source's scores, the drawing library once loaded."""
    scores = {"source": np.linspace(0.0, 1.0, 1000)}
    return probe_seconds(lambda: score_distributions(scores, cutoff=None))
