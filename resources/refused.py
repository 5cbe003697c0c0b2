"""How Dagster is told of a step that a cap keeps from starting, going on or publishing."""

import dagster as dg

REFUSED = "refused_by_cap"
"""Metadata of such a failure."""


def refused(message: str) -> dg.Failure:
    """Failure of a step for which a cap has no room."""
    return dg.Failure(message, metadata={REFUSED: True}, allow_retries=False)
