"""Fit a method on texts and score them, as the assets do on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preparing import prepare
from real_texts import rows_of

from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores


def rank(
    method: Method[Any], options: Any, pool: list[str], target: list[str], work: Path
) -> tuple[Scores, Fitted]:
    """Scores of a pool of one source, and what the method learnt before; one seed."""
    (rows,), prepared = prepare(method, [rows_of(pool)], (), options, work)
    wanted = rows_of(target)
    fitted = method.fit(
        FitInputs(wanted, lambda: iter([rows]), len(pool), options, 0, prepared=prepared)
    )
    seeds: Sequence[int] = (0,)
    given = ScoreInputs(rows, target=wanted, options=options, seeds=seeds, prepared=prepared)
    return method.score(fitted, given), fitted
