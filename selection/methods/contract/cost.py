"""What will a method cost on the whole pool, part by part, and which step does each part?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal

import numpy as np

from selection.methods.contract.options import OptionsT_co

if TYPE_CHECKING:
    from selection.costs import ModelShape

Phase = Literal["embedding", "fit", "score"]

PHASES: tuple[Phase, ...] = ("embedding", "fit", "score")
"""Steps that every method has; each of its preparations is one more, named by its asset."""

ACCOUNTANT = "operation_count"
"""Who counts the FLOPs of a method's own arithmetic: its formulas, with the sizes it met."""


@dataclass(frozen=True)
class SelectorSize:
    """What the selector would read.

    Attributes
    ----------
    pool_lengths, target_lengths : int64 of shape (n_pool,) and (n_target,)
        Tokens of each row that the selector has to predict, the end of text among them, however
        many windows they fill (`selection.models.windows.read_lengths`); the target's are those of
        the split that steers the selection.
    """

    shape: ModelShape
    accountant: str
    pool_lengths: np.ndarray
    target_lengths: np.ndarray


@dataclass(frozen=True)
class CostInputs(Generic[OptionsT_co]):
    """What is known before anything runs; FLOPs of the embeddings come from the embedder.

    Attributes
    ----------
    options : of the method, as it has validated them.
    selector : what the selector model would read; None for a study without one.
    n_contrast, contrast_embedding_flops : rows that steer away, and of embedding the contrast.
    n_sources : of the pool; None where nobody counted, for which methods assume the most.
    """

    n_pool: int
    n_target: int
    pool_embedding_flops: float
    target_embedding_flops: float
    width: int
    options: OptionsT_co
    selector: SelectorSize | None = None
    n_sources: int | None = None
    n_contrast: int = 0
    contrast_embedding_flops: float = 0.0


@dataclass(frozen=True)
class Held:
    """Memory that a step of a method takes at most, beside what every step has.

    Attributes
    ----------
    bytes : float
    less_by : the option that makes it less; "" where none does.
    """

    bytes: float = 0.0
    less_by: str = ""


@dataclass(frozen=True)
class MethodCost:
    """FLOPs a method will spend on the whole pool, by part, and the name of who counted.

    Attributes
    ----------
    method : name in the registry.
    parts : name of each part to its FLOPs.
    steps : name of each part that the method declares to the step that does it: one of `PHASES`,
        or the asset of a preparation.
    shared : names of the parts that are done once for all targets of the pool.

    Raises
    ------
    ValueError
        For a part that the method has not declared, or declares for a step that it does not have.
    """

    method: str
    accountant: str
    parts: Mapping[str, float]
    steps: Mapping[str, str]
    shared: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse a part of which nobody knows who does it."""
        unknown = sorted(self.parts.keys() - self.steps.keys())
        if unknown:
            known = ", ".join(sorted(self.steps)) or "none"
            raise ValueError(
                f"method {self.method!r} counts a part {unknown[0]!r} that it does not declare;"
                f" declared: {known}. Say in `cost_parts` whether its fit or its scores do it, or"
                " name it like the preparation that does"
            )
        for part, step in self.steps.items():
            if step not in PHASES and step != part:
                raise ValueError(
                    f"method {self.method!r} declares its part {part!r} for the step {step!r}; it"
                    f" has {', '.join(PHASES)} and its preparations, which do what is named as they"
                )

    @property
    def flops(self) -> float:
        """FLOPs of all parts."""
        return sum(self.parts.values(), 0.0)

    @property
    def phases(self) -> dict[str, float]:
        """FLOPs by the step that spends them: those of `PHASES`, and each preparation's."""
        phases: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        for part, flops in self.parts.items():
            step = self.steps[part]
            phases[step] = phases.get(step, 0.0) + flops
        return phases

    @property
    def preparation_flops(self) -> float:
        """FLOPs of all preparations together."""
        made = (f for part, f in self.parts.items() if self.steps[part] not in PHASES)
        return sum(made, 0.0)

    @property
    def shared_flops(self) -> float:
        """FLOPs that all targets of the pool have in common."""
        return sum((f for part, f in self.parts.items() if part in self.shared), 0.0)
