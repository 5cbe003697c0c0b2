"""Does an arm beat random at equal *time*, by random's loss between the budgets that were run?

FLOPs leave out what is no matrix product: an index of words costs none and takes as long as an
embedding. So an arm that took T seconds is also held against what random reaches in T seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from selection.judging.against import deviations, verdict_against
from selection.judging.result import RANDOM, Arm
from selection.judging.verdicts import Judgement, Label, Verdict, counting_all

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FASTER, SLOWER, UNTIMED = "faster than random's runs", "slower than random's runs", "not timed"
"""Why an arm has no verdict at equal seconds: nothing is extrapolated."""


@dataclass(frozen=True)
class AtEqualSeconds:
    """An arm against random in as many seconds.

    Attributes
    ----------
    judgement : None where there is none.
    why_not : why there is none; "" where there is one.
    """

    judgement: Judgement | None
    why_not: str = ""

    @property
    def said(self) -> Label | str:
        """What is left of the verdict when all are counted, or why there is none."""
        return self.why_not if self.judgement is None else self.judgement.corrected


def loss_at(seconds: float, points: Sequence[tuple[float, ArrayLike]]) -> np.ndarray | None:
    """Losses between the nearest two of some timed runs, linear in the logarithm of time.

    Seed by seed and example by example, so that what is compared with it can be paired.

    Parameters
    ----------
    points : seconds, above 0, and losses of shape (n_seeds, n_examples) of each run, all of the
        same shape.

    Returns
    -------
    np.ndarray of shape (n_seeds, n_examples), float64, or None
        A run's own losses where the seconds are its own; None outside of the runs.

    Raises
    ------
    ValueError
        For a time that is not positive, or runs of different shapes.
    """
    times = [time for time, _ in points]
    if not all(time > 0 for time in [seconds, *times]):
        raise ValueError(f"seconds must be positive to be compared, got {[seconds, *times]}.")
    losses = [np.asarray(loss_SE, dtype=np.float64) for _, loss_SE in points]
    if len({loss_SE.shape for loss_SE in losses}) > 1:
        shapes = ", ".join(str(loss_SE.shape) for loss_SE in losses)
        raise ValueError(f"random's runs have losses of shapes {shapes}: evaluate them again.")
    below = [i for i, time in enumerate(times) if time <= seconds]
    above = [i for i, time in enumerate(times) if time >= seconds]
    if not below or not above:
        return None
    first, last = max(below, key=times.__getitem__), min(above, key=times.__getitem__)
    if times[first] == seconds:
        return losses[first]
    part = np.log(seconds / times[first]) / np.log(times[last] / times[first])
    return (1.0 - part) * losses[first] + part * losses[last]


def judge_at_equal_seconds(
    arms: Sequence[Arm], *, level: float, n_resamples: int
) -> dict[tuple[str, str], AtEqualSeconds]:
    """Judge every arm but random's against random in as many seconds.

    Holm's correction counts all of them, as `judged.judge_arms` counts those at equal FLOPs.

    Parameters
    ----------
    arms : of one study; those without seconds are not judged, and the underspent are left out.

    Returns
    -------
    dict
        (method, budget) to what can be said.
    """
    arms = [arm for arm in arms if not arm.underspent]
    others = [arm for arm in arms if arm.method != RANDOM]
    timed = {
        arm.seconds.total: arm for arm in arms if arm.method == RANDOM and arm.seconds is not None
    }
    found = {(arm.method, arm.budget): _reference(arm, timed) for arm in others}
    references = [one.reference for one in found.values() if isinstance(one, _InPlace)]
    if not references:
        return {key: AtEqualSeconds(None, str(why)) for key, why in found.items()}
    deviation_R = deviations(
        [*others, *timed.values(), *references], n_resamples=n_resamples, seed=0
    )
    verdicts: dict[tuple[str, str], Verdict] = {}
    for arm in others:
        against = found[arm.method, arm.budget]
        if not isinstance(against, _InPlace):
            continue
        verdicts[arm.method, arm.budget] = verdict_against(
            against.reference,
            arm,
            here=[one for one in others if one.budget == arm.budget],
            references=[against.reference if run is against.run else run for run in timed.values()],
            deviation_R=deviation_R,
            level=level,
        )
    judgements = dict(zip(verdicts, counting_all(list(verdicts.values())), strict=True))
    return {
        key: AtEqualSeconds(judgements.get(key), "" if key in judgements else str(against))
        for key, against in found.items()
    }


@dataclass(frozen=True)
class _InPlace:
    """Random in as many seconds as an arm took, in place of the run that it is nearest to."""

    reference: Arm
    run: Arm


def _reference(arm: Arm, timed: Mapping[float, Arm]) -> _InPlace | str:
    """What an arm is held against, or why there is nothing."""
    if arm.seconds is None or not timed:
        return UNTIMED
    seconds = arm.seconds.total
    random_SE = loss_at(seconds, [(at, run.nll_SE) for at, run in timed.items()])
    if random_SE is None:
        return FASTER if seconds < min(timed) else SLOWER
    run = timed[min(timed, key=lambda at: abs(np.log(at / seconds)))]  # by their ratio
    return _InPlace(replace(run, nll_SE=random_SE), run)
