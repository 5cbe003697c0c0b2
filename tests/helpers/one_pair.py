"""Two arms that stand alone, judged as a study is."""

import numpy as np

from selection.judging.judged import judge_arms
from selection.judging.result import Arm
from selection.judging.verdicts import Verdict


def compare(arm_SE, random_SE, weights_E, *, level=0.95, n_resamples=2000, seed=0) -> Verdict:
    """Judge an arm against random, each an array of shape (seeds, examples)."""
    arms = [
        Arm(
            {"method": name, "budget": "5pct", "underspent": ""},
            np.asarray(values_SE),
            np.asarray(weights_E),
        )
        for name, values_SE in (("ot", arm_SE), ("random", random_SE))
    ]
    found = judge_arms(arms, level=level, n_resamples=n_resamples, seed=seed)
    return found["ot", "5pct"].verdict
