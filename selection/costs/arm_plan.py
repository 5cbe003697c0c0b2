"""What an arm would spend: on selecting its rows, and on training with them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ArmPlan:
    """One arm: a method under a budget.

    Attributes
    ----------
    total_flops : the cap on selection plus training.
    selection_flops : of preparing, fitting and scoring the whole pool, by `accountant`; of what the
        pool's studies share, the study's part.
    training_flops : of one warm-up on `token_budget` tokens; what selection leaves.
    token_budget : tokens that may be trained on, a whole number of blocks.
    rows : about how many rows of mean length that is.
    row_budget : rows that may be selected, where the budget counts them; None where it does not.
    feasible, reason : whether it can run, and why not: nothing is left to train with, the cap
        does not admit it, or its method cannot rank this pool for this target.
    method_refuses : whether it is the last of these, which no budget mends.
    """

    method: str
    budget: str
    total_flops: float
    selection_flops: float
    training_flops: float
    token_budget: int
    rows: int
    feasible: bool
    reason: str
    accountant: str
    row_budget: int | None = None
    method_refuses: bool = False

    def not_run(self, reason: str, *, method_refuses: bool = False) -> ArmPlan:
        """Return the arm as one that does not run, for this reason."""
        return replace(
            self,
            training_flops=0.0,
            token_budget=0,
            rows=0,
            feasible=False,
            reason=reason,
            method_refuses=method_refuses,
        )
