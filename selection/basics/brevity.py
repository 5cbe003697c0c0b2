"""How much of a long text, or of many, does a message quote?"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

LONGEST = 200
"""Characters of a text that a message quotes: what a file holds may be of any length."""

MANY = 20
"""Texts that a message lists."""


def cut(text: str, most: int = LONGEST) -> str:
    """Return a text, or its beginning with an ellipsis where it has more than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def some_of(texts: Collection[str], *, most: int = MANY, longest: int = LONGEST) -> list[str]:
    """Return the first texts, each cut; where there are more than `most`, a last one counts them.

    Parameters
    ----------
    texts : in the order in which they are to be listed.
    longest : characters of each.
    """
    listed = [cut(text, longest) for text in islice(texts, most)]
    more = len(texts) - len(listed)
    return [*listed, f"and {more:,} more"] if more else listed
