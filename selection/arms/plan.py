"""What would each arm cost, and what is left to train with?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from selection.config.study import Study
from selection.costs import ModelShape, training_flops
from selection.methods import REGISTRY
from selection.methods.protocol import Cost, CostInputs


@dataclass(frozen=True)
class PoolSize:
    """What the plan needs to know of pool and target.

    Attributes
    ----------
    rows, tokens : of the pool, by the base model's tokenizer, one separator a row included.
    target_rows : of the split that steers the selection.
    embedding_flops, target_embedding_flops : of one pass of the embedder.
    width : of the embeddings.
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
    sources: int | None = None
    contrast_rows: int = 0
    contrast_embedding_flops: float = 0.0
    tuning_flops: float = 0.0


@dataclass(frozen=True)
class ArmPlan:
    """One arm: a method under a budget.

    Attributes
    ----------
    total_flops : the cap on selection plus training.
    selection_flops : of fitting and scoring the whole pool, by `accountant`.
    training_flops : of one warm-up on `token_budget` tokens; what selection leaves.
    token_budget : tokens that may be trained on, a whole number of blocks.
    rows : about how many rows of mean length that is.
    feasible, reason : whether anything is left to train with, and why not.
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


def plan_arms(study: Study, shape: ModelShape, size: PoolSize) -> list[ArmPlan]:
    """Plan every arm: ``C_train(S) + sum over the pool of C_select <= K`` (CCDS, 2410.16208)."""
    epoch = epoch_flops(study, shape, size)
    block = block_flops(study, shape)
    arms = []
    for method, cost in selection_costs(study, size).items():
        for budget in study.budgets:
            total = budget.total_flops(epoch)
            left = total - cost.flops
            # One epoch over everything is the most there is to buy.
            blocks = min(max(int(left / block), 0), blocks_of(size.tokens, shape))
            tokens = blocks * shape.sequence_length
            feasible = blocks > 0
            reason = "" if feasible else _why_not(total, cost.flops, block)
            rows = int(tokens * size.rows / size.tokens)
            arms.append(
                ArmPlan(
                    method,
                    budget.key,
                    total,
                    cost.flops,
                    blocks * block,
                    tokens,
                    rows,
                    feasible,
                    reason,
                    f"{cost.accountant} + {study.accountant}",
                )
            )
    return arms


def selection_costs(study: Study, size: PoolSize) -> dict[str, Cost]:
    """What each method will spend on the whole pool.

    Tuning the embedder is part of embedding the target; then the pool's embeddings serve no other.
    """
    costs = {
        method: REGISTRY[method].cost(
            CostInputs(
                size.rows,
                size.target_rows,
                size.embedding_flops,
                size.target_embedding_flops + size.tuning_flops,
                size.width,
                options,
                n_sources=size.sources,
                n_contrast=size.contrast_rows,
                contrast_embedding_flops=size.contrast_embedding_flops,
            )
        )
        for method, options in study.methods.items()
    }
    if study.embedder.tuning is None:
        return costs
    own = {"pool_embedding"}
    return {name: replace(cost, shared=cost.shared - own) for name, cost in costs.items()}


def _why_not(total: float, selection: float, block: float) -> str:
    if selection >= total:
        return f"selection alone costs {selection:.3g} FLOPs of a budget of {total:.3g}"
    return f"the {total - selection:.3g} FLOPs left buy no block of training ({block:.3g})"
