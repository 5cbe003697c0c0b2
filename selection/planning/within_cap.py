"""Which arms fit under the study's cap, when everything that it does is counted?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from selection.budget.amounts import Amount, Cap
from selection.config.study import Study
from selection.costs.arm_plan import ArmPlan


@dataclass(frozen=True)
class Bill:
    """What the parts of a study cost.

    Attributes
    ----------
    always : the base model, the embeddings of pool and target, and the lines without a warm-up:
        no arm can be compared without them.
    selection : method to its fit and scores.
    arm : of training, fine-tuning and evaluating one arm, all seeds.
    full_data : the dearest line.
    """

    always: Amount
    selection: Mapping[str, Amount]
    arm: Callable[[ArmPlan], Amount]
    full_data: Amount


@dataclass(frozen=True)
class WithinCap:
    """The arms, those that do not fit marked so, and whether the full-data line fits."""

    arms: list[ArmPlan]
    full_data: bool
    reason: str


def fit_cap(study: Study, arms: Sequence[ArmPlan], bill: Bill, cap: Cap | None) -> WithinCap:
    """Take arms in the order in which they are worth having, as long as the cap admits them.

    A dear arm that does not fit leaves room for cheaper ones after it. The full-data line is last.
    """
    if cap is None:
        return WithinCap(list(arms), True, "")
    spent = bill.always
    paid: set[str] = set()
    fits: dict[tuple[str, str], ArmPlan] = {}
    for arm in sorted(arms, key=lambda arm: priority(study, arm.method, arm.budget)):
        if not arm.feasible:
            continue
        need = bill.arm(arm)
        if arm.method not in paid:
            need += bill.selection[arm.method]
        if cap.charge(spent + need) <= cap.limit:
            spent += need
            paid.add(arm.method)
        else:
            fits[arm.method, arm.budget] = arm.not_run(_why_not(cap, need, spent))
    kept = [fits.get((arm.method, arm.budget), arm) for arm in arms]
    whole = cap.charge(spent + bill.full_data) <= cap.limit
    return WithinCap(kept, whole, "" if whole else _why_not(cap, bill.full_data, spent))


def priority(study: Study, method: str, budget: str) -> tuple[int, bool]:
    """Sort key of arms: the first budget first, and random first in it.

    An arm without its reference says nothing.
    """
    return [known.key for known in study.budgets].index(budget), method != "random"


def _why_not(cap: Cap, need: Amount, spent: Amount) -> str:
    left = max(0.0, cap.limit - cap.charge(spent))
    return (
        f"all its seeds need {cap.show(cap.charge(need))}, and the study's cap of"
        f" {cap.show(cap.limit)} leaves {cap.show(left)} for it"
    )
