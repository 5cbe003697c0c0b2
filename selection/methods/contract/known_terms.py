"""Does a pool use any word of a target's? Where it does not, nothing can be ranked by words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

from selection.basics.text import normalise
from selection.basics.words import has_letter, words
from selection.methods.contract.values import Rows

LEAST_KNOWN = 0.01
"""Share of the target's words, as often as it uses them, that the pool must have. Of another
domain in the same language most are known; of another script some names at most."""


def known_share(target: Counter[str], pool: Container[str]) -> float:
    """Share of the target's words, as often as it uses them, that the pool has; 0 without any.

    Numbers, which every language writes alike, count only where the target has nothing else.
    """
    spelled = {word: count for word, count in target.items() if has_letter(word)} or target
    known = sum(count for word, count in spelled.items() if word in pool)
    return known / max(sum(spelled.values()), 1)


def known_share_at_least(target: Iterable[str], pool: Iterable[Rows], enough: float) -> float:
    """Give that share, or one of at least `enough`: the pool's texts are read until then."""
    counts = Counter(_lower_words(target))
    found: set[str] = set()
    share = 0.0
    for rows in pool:
        for text in rows.text:
            new = counts.keys() & set(_lower_words([text])) - found
            if new:
                found |= new
                share = known_share(counts, found)
            if share >= enough:
                return share
    return share


def require_known(share: float, method: str) -> None:
    """Refuse a target of whose words the pool has next to none.

    Raises
    ------
    ValueError
        With the share and what to do.
    """
    if share < LEAST_KNOWN:
        raise ValueError(
            f"method {method!r} ranks by words that pool and target share, and the pool has"
            f" {share:.2%} of the words of this target's rows (at least {LEAST_KNOWN:.0%} are"
            f" needed): add sources in the target's language, or take {method!r} out of the"
            " study's `methods`"
        )


def _lower_words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in words(normalise(text).lower())]
