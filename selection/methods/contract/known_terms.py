"""Does a pool use any word of a target's? Where it does not, nothing can be ranked by words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable

from selection.basics.text import normalise
from selection.basics.words import has_letter, words

LEAST_KNOWN = 0.01
"""Share of the target's words, as often as it uses them, that the pool must have. Of another
domain in the same language most are known; of another script some names at most."""

WordsOf = Callable[[Iterable[str]], Iterable[str]]
"""The words of some texts, in order, as a method tells them."""


def known_share(target: Counter[str], pool: Container[str]) -> float:
    """Share of the target's words, as often as it uses them, that the pool has; 0 without any.

    Numbers, which every language writes alike, count only where the target has nothing else.
    """
    spelled = {word: count for word, count in target.items() if has_letter(word)} or target
    known = sum(count for word, count in spelled.items() if word in pool)
    return known / max(sum(spelled.values()), 1)


def known_share_at_least(
    target: Iterable[str], pool: Iterable[str], words_of: WordsOf, enough: float
) -> float:
    """Give that share, or one of at least `enough`: the pool's texts are read until then."""
    counts = Counter(words_of(target))
    found: set[str] = set()
    share = 0.0
    for text in pool:
        new = counts.keys() & set(words_of([text])) - found
        if new:
            found |= new
            share = known_share(counts, found)
        if share >= enough:
            return share
    return share


def refusal_by_words(target: Iterable[str], pool: Iterable[str], words_of: WordsOf) -> str:
    """Say why a method of words cannot rank a pool for a target; "" where it can."""
    return refusal_at(known_share_at_least(target, pool, words_of, LEAST_KNOWN))


def refusal_at(share: float) -> str:
    """Say why, where the pool has this share of the target's words; "" where that is enough."""
    if share >= LEAST_KNOWN:
        return ""
    return (
        f"it ranks by words that pool and target share, and the pool has {share:.2%} of the words"
        f" of this target's rows (at least {LEAST_KNOWN:.0%} are needed): add sources in the"
        " target's language, or take the method out of the study's `methods`"
    )


def insist(method: str, refusal: str) -> None:
    """Raise ValueError where a method refuses a pool and target: of a fit nobody should ask for.

    Parameters
    ----------
    refusal : why; "" where it does not.
    """
    if refusal:
        raise ValueError(f"method {method!r} cannot rank this pool: {refusal}")


def lower_words(texts: Iterable[str]) -> list[str]:
    """Give the `words` of texts in lower case."""
    return [word for text in texts for word in words(normalise(text).lower())]
