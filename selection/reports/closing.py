"""What does the closing table of a study show of each arm?"""

COLUMNS = {
    "method": "method",
    "budget": "budget",
    "selection_flops": "selection FLOPs",
    "training_flops": "training FLOPs",
    "rows": "rows",
    "loss": "target loss",
    "loss_low": "low",
    "loss_high": "high",
    "verdict": "against random",
    "corrected": "counting all arms",
}
"""Columns of the closing table, as `make run` prints them."""
