"""Has an arm spent the tokens that it was given, and if not, why?"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_PERCENT = 95
"""An arm that spends less is not compared with others of its budget."""


def why_underspent(
    tokens_by_draw: Sequence[int], passed_over_by_draw: Sequence[int], *, token_budget: int
) -> str:
    """Say why an arm could not spend its tokens; "" for one that could.

    Of several draws the one that spent least decides: each trains a seed of its own.

    Parameters
    ----------
    tokens_by_draw : of the rows that each draw selected.
    passed_over_by_draw : rows of each that were longer than what was left.
    """
    draw = min(range(len(tokens_by_draw)), key=tokens_by_draw.__getitem__)
    tokens, left = tokens_by_draw[draw], passed_over_by_draw[draw]
    if 100 * tokens >= LEAST_PERCENT * token_budget:
        return ""
    where = f"draw {draw} of {len(tokens_by_draw)} " if len(tokens_by_draw) > 1 else ""
    why = (
        f"none of the rows that are left fits ({left:,})"
        if left
        else "the pool has no more rows that may be selected"
    )
    return (
        f"{where}spent {tokens:,} of {token_budget:,} tokens ({tokens / token_budget:.1%}): {why}"
    )
