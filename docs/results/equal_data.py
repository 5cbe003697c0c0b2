"""Which of two methods is better when both train on equally many tokens?

Arms are compared at equal *total* cost. One whose selection costs almost nothing has then trained
on almost as many tokens as the other, and the comparison is one at equal data, too. Otherwise the
dearer method has trained on less: if it is better all the same, it is so at equal data a fortiori;
if it is not, nothing is known of equal data.
"""

from __future__ import annotations

from dataclasses import dataclass

from selection.judging.judged import judge
from selection.judging.result import StudyResult
from selection.judging.verdicts import Judgement, Label

SAME_DATA = 0.02
"""Training FLOPs that differ by less than this share count as equal data."""


@dataclass(frozen=True)
class EqualData:
    """One method against another at one budget of one target.

    Attributes
    ----------
    gap : by how much the first trained on less than the second, as a share of the larger; negative
        when it trained on more.
    judgement : at equal total cost, among all arms held against the second.
    label : the corrected verdict at equal data; None where the comparison says nothing of it.
    """

    gap: float
    judgement: Judgement
    label: Label | None

    @property
    def how(self) -> str:
        """Why the comparison is one at equal data, or is not."""
        if abs(self.gap) < SAME_DATA:
            return "equal data"
        less = f"{abs(self.gap):.0%} {'less' if self.gap > 0 else 'more'} data"
        return f"a fortiori, with {less}" if self.label else f"not judged: {less}"


def equal_data(study: StudyResult, one: str, other: str) -> dict[str, EqualData]:
    """Judge two methods of a study at equal data, at every budget that both spent.

    "Better" means that the first is.
    """
    judgements = judge(study, reference=other).judgements
    found = {}
    for budget in study.budgets:
        first, second = study.arm(one, budget), study.arm(other, budget)
        if first is None or second is None or first.underspent or second.underspent:
            continue
        more = max(first.training_flops, second.training_flops)
        gap = (second.training_flops - first.training_flops) / more if more else 0.0
        judgement = judgements[one, budget]
        found[budget] = EqualData(gap, judgement, _at_equal_data(judgement.corrected, gap))
    return found


def _at_equal_data(label: Label, gap: float) -> Label | None:
    """What a verdict at equal cost says at equal data."""
    if abs(gap) < SAME_DATA:
        return label
    # The one that is ahead must be the one that trained on less.
    ahead = {"better": gap > 0, "worse": gap < 0}
    return label if ahead.get(label, False) else None
