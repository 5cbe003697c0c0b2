"""What would each arm cost, and what is left to train with?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from selection.config.budgets import Budget
from selection.config.study import Study
from selection.costs import ModelShape, training_flops
from selection.costs.arm_plan import ArmPlan
from selection.methods.contract.cost import CostInputs, MethodCost, SelectorSize


@dataclass(frozen=True)
class PoolSize:
    """What the plan needs to know of pool and target.

    Attributes
    ----------
    rows, tokens : of the pool, by the base model's tokenizer, one separator a row included; by the
        embedder's where there is no base model.
    target_rows : of the split that steers the selection.
    embedding_flops, target_embedding_flops : of one pass of the embedder.
    width : of the embeddings.
    selector : what the selector model would read; None for a study without one.
    sources : of the pool; None where nobody counted.
    contrast_rows, contrast_embedding_flops : as of the target; 0 without a contrast.
    tuning_flops : of tuning the embedder on the target.
    """

    rows: int
    tokens: int
    target_rows: int
    embedding_flops: float
    target_embedding_flops: float
    width: int
    selector: SelectorSize | None = None
    sources: int | None = None
    contrast_rows: int = 0
    contrast_embedding_flops: float = 0.0
    tuning_flops: float = 0.0

    def summary(self) -> dict[str, float]:
        """Give the sums, as JSON values."""
        sums = {name: value for name, value in vars(self).items() if name != "selector"}
        if self.selector is not None:
            sums["selector_tokens"] = int(self.selector.pool_lengths.sum())
        return sums


def block_flops(study: Study, shape: ModelShape) -> float:
    """FLOPs of training on one packed block, all epochs of the warm-up included."""
    lora = study.warm_up.lora_rank is not None
    once = training_flops(shape, shape.sequence_length, accountant=study.accountant, lora=lora)
    return once * study.warm_up.epochs


def blocks_of(tokens: int, shape: ModelShape) -> int:
    """Packed blocks that hold so many tokens; the last may be padded."""
    return -(-tokens // shape.sequence_length)


def epoch_flops(study: Study, shape: ModelShape, size: PoolSize) -> float:
    """FLOPs of the warm-up on the whole pool: what budgets are shares of."""
    return blocks_of(size.tokens, shape) * block_flops(study, shape)


def plan_arms(
    study: Study,
    shape: ModelShape | None,
    size: PoolSize,
    refusals: Mapping[str, str] = MappingProxyType({}),
) -> list[ArmPlan]:
    """Plan every arm: ``C_train(S) + sum over the pool of C_select <= K`` (CCDS, 2410.16208).

    An arm of a budget that counts rows or tokens is feasible whatever its selection costs.

    Parameters
    ----------
    shape : of the base model; None where no budget is of FLOPs.
    refusals : method to why it cannot rank this pool for this target, of those that cannot.
    """
    arms = list[ArmPlan]()
    for method, cost in selection_costs(study, size).items():
        for budget in study.budgets:
            if budget.is_paid:
                assert shape is not None, "a budget of FLOPs without a model is refused when read"
                arms.append(_paid_arm(study, shape, size, method, cost, budget))
            else:
                arms.append(_counted_arm(study, size, method, cost, budget))
    return [
        arm.not_run(refusals[arm.method], method_refuses=True) if arm.method in refusals else arm
        for arm in arms
    ]


def _paid_arm(
    study: Study,
    shape: ModelShape,
    size: PoolSize,
    method: str,
    cost: MethodCost,
    budget: Budget,
) -> ArmPlan:
    """What selection leaves of a budget of FLOPs buys blocks of training."""
    block, selection = block_flops(study, shape), charged(cost, study.shared_by)
    total = budget.total_flops(epoch_flops(study, shape, size))
    # One epoch over everything is the most there is to buy.
    blocks = min(max(int((total - selection) / block), 0), blocks_of(size.tokens, shape))
    tokens = blocks * shape.sequence_length
    feasible = blocks > 0
    return ArmPlan(
        method,
        budget.key,
        total,
        selection,
        blocks * block,
        tokens,
        min(size.rows, int(tokens * size.rows / size.tokens)),
        feasible,
        "" if feasible else _why_not(total, selection, block),
        f"{cost.accountant} + {study.accountant}",
    )


def _counted_arm(
    study: Study, size: PoolSize, method: str, cost: MethodCost, budget: Budget
) -> ArmPlan:
    """So many rows or tokens, and no training."""
    selection, rows = charged(cost, study.shared_by), budget.most_rows(size.rows)
    tokens = size.tokens if budget.tokens is None else min(budget.tokens, size.tokens)
    return ArmPlan(
        method,
        budget.key,
        selection,
        selection,
        0.0,
        tokens,
        min(rows, int(tokens * size.rows / size.tokens)),
        feasible=True,
        reason="",
        accountant=cost.accountant,
        row_budget=None if budget.tokens is not None else rows,
    )


def cost_inputs(size: PoolSize, options: Any) -> CostInputs[Any]:
    """Give what a method's cost, and its memory, depend on."""
    return CostInputs(
        size.rows,
        size.target_rows,
        size.embedding_flops,
        size.target_embedding_flops + size.tuning_flops,
        size.width,
        options,
        size.selector,
        n_sources=size.sources,
        n_contrast=size.contrast_rows,
        contrast_embedding_flops=size.contrast_embedding_flops,
    )


def selection_costs(study: Study, size: PoolSize) -> dict[str, MethodCost]:
    """What each method will spend on the whole pool.

    Tuning the embedder is part of embedding the target; then the pool's embeddings serve no other.
    """
    costs = {
        name: named.method.cost(cost_inputs(size, named.options))
        for name, named in study.named_methods.items()
    }
    if study.embedder.tuning is None:
        return costs
    own = {"pool_embedding"}
    return {name: replace(cost, shared=cost.shared - own) for name, cost in costs.items()}


def charged(cost: MethodCost, shared_by: int) -> float:
    """FLOPs that one of so many targets bears of a selection: its own, and its part of the rest."""
    return cost.flops - cost.shared_flops * (1.0 - 1.0 / shared_by)


def cost_parts(cost: MethodCost) -> Mapping[str, Any]:
    """A method's cost as JSON values: each part's FLOPs, and which parts all targets share."""
    return {
        "parts": cost.parts,
        "shared": sorted(cost.shared & set(cost.parts)),
        "accountant": cost.accountant,
    }


def _why_not(total: float, selection: float, block: float) -> str:
    if selection >= total:
        return f"selection alone costs {selection:.3g} FLOPs of a budget of {total:.3g}"
    return f"the {total - selection:.3g} FLOPs left buy no block of training ({block:.3g})"
