"""How wide will verdicts be on so many held-out rows, before anything is trained?"""

import math

LEVEL = 0.95
"""Nominal coverage of a verdict's interval."""

SMALL = 0.2
"""Of a standard deviation: what is called a small effect (Cohen 1988, "Statistical Power Analysis
for the Behavioral Sciences", section 2.2)."""


def least_half_width(n_examples: int) -> float:
    """Half of a verdict's interval where only the choice of the held-out rows matters.

    Training seeds, and how many of them, add to it. It is the error of a mean of paired
    differences, ``t / sqrt(n)``, by Student's quantile with ``n - 1`` degrees of freedom.

    Parameters
    ----------
    n_examples : held-out rows, the same for both arms.

    Returns
    -------
    float
        In standard deviations, over rows, of the difference in loss between two arms; infinite for
        fewer than two rows.
    """
    from scipy.stats import t as student_t

    if n_examples < 2:
        return math.inf
    return float(student_t.ppf((1 + LEVEL) / 2, n_examples - 1)) / math.sqrt(n_examples)


def width_text(n_examples: int) -> str:
    """Say what that means for the verdicts."""
    return (
        f"on {n_examples:,} rows no lead under {least_half_width(n_examples):.2f} standard"
        " deviations of the rows' differences in loss can be told from chance"
    )
