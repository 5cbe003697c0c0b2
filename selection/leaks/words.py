"""A text as the words that leaks are found by, whatever its case, punctuation and script."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import regex

WORD = 4
"""Weight of a word of a script that puts spaces between words."""

# Without spaces a character stands alone: about two make a word of Chinese or Japanese, and about
# four one of Thai, Lao, Burmese or Khmer.
_LIGHT = [
    *[(0x0E00, 0x0EFF, 1), (0x1000, 0x109F, 1), (0x1780, 0x17FF, 1), (0x3040, 0x30FF, 2)],
    *[(0x31F0, 0x31FF, 2), (0x3400, 0x9FFF, 2), (0xF900, 0xFAFF, 2), (0x20000, 0x3FFFF, 2)],
]
"""First and last code point of these scripts, and the weight of a character."""

_UNSPACED = "".join(rf"\U{first:08x}-\U{last:08x}" for first, last, _ in _LIGHT)
_ASCII_WORDS = re.compile("[a-z0-9]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# What is not seen splits no word: zero-width spaces and joiners, soft hyphens, selectors.
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")
_WORDS = regex.compile(
    rf"(?V1)[[\p{{L}}\p{{M}}\p{{N}}]&&[{_UNSPACED}]]|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+"
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
    weights = np.full(characters.shape, WORD, dtype=np.int64)
    for first, last, weight in _LIGHT:
        weights[(characters >= first) & (characters <= last)] = weight
    return weights
