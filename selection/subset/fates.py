"""What can become of a candidate row?"""

from __future__ import annotations

SELECTED = "selected"
BELOW_CUTOFF = "below_cutoff"
DOES_NOT_FIT = "does_not_fit"
NEAR_DUPLICATE = "near_duplicate"
EXACT_DUPLICATE = "exact_duplicate"

TOO_LONG = "too_long"
"""Fate of rows beyond the study's limit."""
