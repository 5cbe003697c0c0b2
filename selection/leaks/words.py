"""A text as the words that leaks are found by, whatever its case, punctuation and script."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

import numpy as np
import regex

from selection.basics.words import EAST_ASIAN, SOUTH_EAST_ASIAN, UNSPACED

WORD = 4
"""Weight of a word of a script that puts spaces between words."""

# Without spaces a character stands alone: about two make a word of Chinese or Japanese, and about
# four one of Thai, Lao, Burmese or Khmer.
_LIGHT = ((EAST_ASIAN, 2), (SOUTH_EAST_ASIAN, 1))
"""Characters of these scripts, and the weight of one."""

_ASCII_WORDS = re.compile("[a-z0-9]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# What is not seen splits no word: zero-width spaces and joiners, soft hyphens, selectors.
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")
_IN_WORDS = r"[\p{L}\p{M}\p{N}]"
_WORDS = regex.compile(rf"[{_IN_WORDS}&&{UNSPACED}]|[{_IN_WORDS}--{UNSPACED}]+", regex.V1)


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


def cut_later(text: str) -> bytes:
    """Return bytes of which `WORD_BYTES` are the words of `words_of`.

    Nearly all text of a pool is ASCII, and of that nothing else needs a look: neither the texts
    that are, nor what stands between two spaces elsewhere.
    """
    if text.isascii():
        return text.encode()
    parts, done = [], 0
    # What a space is between becomes neither one word nor another character by any of the steps.
    for seen in _NOT_ASCII.finditer(text):
        if seen.start() < done:
            continue
        begin = text.rfind(" ", done, seen.start()) + 1 or done
        end = text.find(" ", seen.end())
        end = len(text) if end < 0 else end
        parts += [text[done:begin], " ".join(words_of(text[begin:end]))]
        done = end
    return "".join([*parts, text[done:]]).encode()


def _word_bytes() -> bytes:
    ascii_ = (ord(chr(byte).lower()) if chr(byte).isalnum() else 0 for byte in range(128))
    return bytes([*ascii_, *range(128, 256)])


WORD_BYTES = _word_bytes()
"""Of each byte of UTF-8 what it is in a word, in lower case; 0 where it is in none."""


def weights_of(characters: np.ndarray) -> np.ndarray:
    """How much of a word each word is, in `WORD`ths, by its code point, if it is one character.

    Parameters
    ----------
    characters : np.ndarray of any integer dtype
        0 for a word of several.

    Returns
    -------
    np.ndarray of the same shape, int64
    """
    return _weight_of_each()[characters].astype(np.int64)


@cache
def _weight_of_each() -> np.ndarray:
    """Weight of every code point, of shape (0x110000,), int8."""
    weights = np.full(sys.maxunicode + 1, WORD, dtype=np.int8)
    letters = "".join(map(chr, range(0x40000)))  # beyond them there is none
    for characters, weight in _LIGHT:
        for run in regex.finditer(f"{characters}+", letters, regex.V1):
            weights[run.start() : run.end()] = weight
    return weights
