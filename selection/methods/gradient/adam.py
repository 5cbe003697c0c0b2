"""The step that Adam would take along a row's gradient (LESS, arXiv 2402.04333, section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def preconditioned(
    gradients: torch.Tensor, first_moment: torch.Tensor, second_moment: torch.Tensor
) -> torch.Tensor:
    """Update each row's gradient into Adam's direction, as if the next step were on that row alone.

    ``(b1 m + (1 - b1) g) / sqrt(b2 v + (1 - b2) g^2 + 1e-8)``: the constant inside the root and no
    correction of the bias, as the paper's code has it.

    Parameters
    ----------
    gradients : torch.Tensor of shape (n, P)
    first_moment, second_moment : torch.Tensor of shape (P,)
        Adam's running means of the gradient and of its square.

    Returns
    -------
    torch.Tensor of shape (n, P)
    """
    first, second = BETAS
    step = first * first_moment + (1 - first) * gradients
    scale = second * second_moment + (1 - second) * gradients.square()
    return step / (scale + EPSILON).sqrt()
