"""A text as the words that leaks are found by, whatever its case, punctuation and script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import regex

WORD = 4
"""Weight of a word of a script that puts spaces between words."""

# Without spaces a character stands alone: about two make a word of Chinese or Japanese, and about
# four one of Thai, Lao, Burmese or Khmer.
_HALF_WORDS = r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_QUARTER_WORDS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = re.compile(f"[{_HALF_WORDS}{_QUARTER_WORDS}]")
_IS_QUARTER = re.compile(f"[{_QUARTER_WORDS}]")

_ASCII_WORDS = re.compile("[a-z0-9]+")
# What is not seen splits no word: zero-width spaces and joiners, soft hyphens, selectors.
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")
_WORDS = regex.compile(
    rf"(?V1)[[\p{{L}}\p{{M}}\p{{N}}]&&[{_HALF_WORDS}{_QUARTER_WORDS}]]"
    rf"|[[\p{{L}}\p{{M}}\p{{N}}]--[{_HALF_WORDS}{_QUARTER_WORDS}]]+"
)


def words_of(text: str) -> list[str]:
    """Cut a text into words of letters, marks and digits, compatible forms and cases alike.

    That is Unicode's NFKC with its case folded, without characters that are not seen. A character
    of a script that puts no spaces between words stands for itself. Two texts that differ only in
    case, punctuation, white space and such characters are equal once their words are joined.
    """
    if text.isascii():
        return _ASCII_WORDS.findall(text.lower())
    seen = _UNSEEN.sub("", text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return _WORDS.findall(folded)


def weights_of(words: Sequence[str]) -> np.ndarray:
    """How much of a word each of the words is, in `WORD`ths: int64 of the same length."""
    weights = np.full(len(words), WORD, dtype=np.int64)
    if _UNSPACED.search("".join(words)) is None:
        return weights
    for place, word in enumerate(words):
        if _UNSPACED.match(word):
            weights[place] = 1 if _IS_QUARTER.match(word) else 2
    return weights
