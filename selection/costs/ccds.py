"""What did the CCDS paper publish, and how did it count?

"Compute-Constrained Data Selection" (arXiv 2410.16208) fine-tunes Llama-2 on rows chosen by five
methods, of a pool of 270,679 rows, and plots accuracy against FLOPs, selection included.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from selection.costs import ModelShape, forward_flops, training_flops

if TYPE_CHECKING:
    from pathlib import Path

# Published to three digits: every FLOP count made from it is uncertain by 0.051 %.
POOL_TOKENS = 9.80e7

MODELS = {
    "7B": ModelShape(32, 4096, 32, 32, 11008, 32000, 4096),
    "13B": ModelShape(40, 5120, 40, 40, 13824, 32000, 4096),
    "70B": ModelShape(80, 8192, 64, 8, 28672, 32000, 4096),
}
SELECTOR = "7B"

# The paper's names of the methods -> this project's
METHODS = {
    "Random": "random",
    "BM25": "bm25",
    "Embed": "embedding",
    "PPL": "perplexity",
    "LESS": "gradient",
}

# Forwards of the selector over the pool. Random, BM25 and a small embedder are plotted as free.
SELECTION_FORWARDS = {
    "random": 0.0,
    "bm25": 0.0,
    "embedding": 0.0,
    "perplexity": 1.0,
}
# Gradient selection is counted in three ways: as the paper's figures charge it; in theory, one
# forward and one backward; and literally as LESS (arXiv 2402.04333) runs, a warm-up on 5 % of the
# pool for 4 epochs (0.05 x 4 x 3 = 0.6) and then 3 forwards at each of 4 checkpoints.
GRADIENT_FORWARDS = {"paper": 5.4, "theory": 3.0, "literal": 12.6}

# method -> least ratio of the trained model's parameters to the selector's
SIZE_RATIOS = {"perplexity": 5.0, "gradient": 10.0}


class Published(NamedTuple):
    """One run of the paper.

    Attributes
    ----------
    target : str
        "mmlu", "bbh" or "ifeval".
    model : str
        The trained model, a key of `MODELS`.
    method : str
        A value of `METHODS`.
    fraction : float
        Share of the pool's rows trained on.
    train_flops, selection_flops, total_flops : float
        As plotted; selection is total less training.
    accuracy : float
        In percent.
    """

    target: str
    model: str
    method: str
    fraction: float
    train_flops: float
    selection_flops: float
    total_flops: float
    accuracy: float


def read_points(path: Path) -> dict[tuple[str, str], list[Published]]:
    """Read the published points.

    Parameters
    ----------
    path : Path
        A CSV file with the columns target, train_model, method (the paper's names), fraction,
        train_flops, select_flops_plotted, total_flops_plotted and accuracy.

    Returns
    -------
    dict
        The points of each panel, by (target, model), in the file's order.

    Raises
    ------
    KeyError
        If a column is missing or a method is not one of the paper's.
    """
    panels: dict[tuple[str, str], list[Published]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            point = Published(
                row["target"],
                row["train_model"],
                METHODS[row["method"]],
                float(row["fraction"]),
                float(row["train_flops"]),
                float(row["select_flops_plotted"]),
                float(row["total_flops_plotted"]),
                float(row["accuracy"]),
            )
            panels.setdefault(point[:2], []).append(point)
    return panels


def train_flops(model: str, fraction: float = 1.0) -> float:
    """FLOPs of one epoch over a share of the pool, by the accountant ``detailed``.

    Parameters
    ----------
    model : str
        A key of `MODELS`.
    fraction : float, default=1.0
        Share of the pool's tokens.
    """
    return training_flops(MODELS[model], POOL_TOKENS * fraction)


def selection_flops(method: str, *, accountant: str = "paper", selector: str = SELECTOR) -> float:
    """FLOPs of choosing rows, which do not depend on how many are kept.

    Parameters
    ----------
    method : str
        A value of `METHODS`.
    accountant : {"paper", "theory", "literal"}
        How gradient selection is counted: 5.4, 3 or 12.6 forwards of the selector over the pool.
    selector : str
        A key of `MODELS`.

    Raises
    ------
    ValueError
        For an unknown method or accountant.
    """
    if accountant not in GRADIENT_FORWARDS:
        raise ValueError(f"unknown accountant {accountant!r}; known: {sorted(GRADIENT_FORWARDS)}")
    forwards = SELECTION_FORWARDS | {"gradient": GRADIENT_FORWARDS[accountant]}
    if method not in forwards:
        raise ValueError(f"unknown method {method!r}; known: {sorted(forwards)}")
    return forwards[method] * forward_flops(MODELS[selector], POOL_TOKENS)


def size_ratio_advice(
    method: str, train_parameters: float, selector_parameters: float
) -> str | None:
    """Say so when the selector is larger, for the trained model, than the paper advises.

    Parameters
    ----------
    method : str
        Only "perplexity" and "gradient" have advice.
    train_parameters, selector_parameters : float
        Parameters of the trained model and of the selector.

    Returns
    -------
    str or None
        A sentence with its source; None where the advice is met or there is none.

    Raises
    ------
    ValueError
        If a number of parameters is not positive.
    """
    if not (train_parameters > 0 and selector_parameters > 0):
        raise ValueError(
            f"models of {train_parameters} and {selector_parameters} parameters: both need more "
            "than 0."
        )
    advised, ratio = SIZE_RATIOS.get(method, 0.0), train_parameters / selector_parameters
    if ratio >= advised:
        return None
    return (
        f"The trained model has {ratio:.2g} times the selector's parameters, and {method} "
        f"selection is advised from {advised:g} times on: advice read off the 70B panels of arXiv "
        "2410.16208, not a law."
    )
