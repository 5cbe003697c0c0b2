"""What was to be reached on one H200, and was it?"""

from __future__ import annotations

from typing import Any

# Section, figure, bound, whether it is an upper one.
_TARGETS = (
    ("large problem", "resident_total_seconds", 1.0, True),
    ("large problem", "pageable_total_seconds", 3.0, True),
    ("large problem", "uploaded_total_seconds", 3.0, True),
    ("scoring from host", "seconds", 5.0, True),
    ("encoders", "minilm_end_to_end_rows_per_gpu_hour", 100e6, False),
    ("encoders", "distilbert_end_to_end_rows_per_gpu_hour", 20e6, False),
)


def against_targets(figures: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Give a line for each target; one whose section failed is not measured."""
    lines = {}
    for section, name, bound, upper in _TARGETS:
        found = figures[section].get(name)
        if found is None:
            verdict = "not measured"
        else:
            met = found <= bound if upper else found >= bound
            verdict = f"{found:.4g}, {'reached' if met else 'missed'}"
        lines[f"{section}: {name}"] = f"{'at most' if upper else 'at least'} {bound:g}: {verdict}"
    return lines
