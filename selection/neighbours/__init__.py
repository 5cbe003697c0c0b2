"""Who is near whom by cosine: nearest rows, near-duplicates, density."""

from selection.neighbours.duplicates import NearDuplicates
from selection.neighbours.targets import nearest_receipts, nearest_targets

__all__ = ["NearDuplicates", "nearest_receipts", "nearest_targets"]
