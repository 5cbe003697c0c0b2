"""Keep transformers from telling people, for every file it reads, what is no news to them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

REPORTS_LOADING = "transformers.modeling_utils"
"""The logger that says which weights of a file a model did not use, or did not find there."""

WEIGHTS_LACK = ("MISSING", "MISMATCH", "CONVERSION")
"""What it calls weights that a model needs and did not get as they are."""


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars of transformers inside, nor reports of weights that are merely left over.

    Its settings are put back afterwards.
    """
    from transformers.utils.logging import (
        disable_progress_bar,
        enable_progress_bar,
        is_progress_bar_enabled,
    )

    shown = is_progress_bar_enabled()
    disable_progress_bar()
    logger = logging.getLogger(REPORTS_LOADING)
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)
        if shown:
            enable_progress_bar()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether more is said than that a file has weights which the model has no place for."""
    said = record.getMessage()
    return "LOAD REPORT" not in said or any(word in said for word in WEIGHTS_LACK)
