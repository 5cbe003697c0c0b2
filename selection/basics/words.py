"""Where does a word of a text end, in any script?

What a word's characters are is Unicode's (UTS #18, annex C): letters with their marks, digits, and
joiners between them. Scripts that put no space between words are those of Han, Hiragana and
Katakana and those whose lines only a dictionary can break (UAX #14, class SA: Thai, Lao, Khmer,
Myanmar and more). Of these a run has no words that a rule could find: its characters, as readers
see them (UAX #29), stand for words, and its pairs of characters for terms, as in Lucene's
CJKAnalyzer.

UAX #29's own words differ from these in one thing: it joins ``don't`` and ``3.14``. Here they are
parted at the mark, as by the tokenizers of the methods' papers.
"""

from __future__ import annotations

import re
from itertools import pairwise

import regex

# Marks are left out of it: two that are written over Latin letters stand over Kana too.
EAST_ASIAN = r"[[\p{L}\p{N}]&&[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}]]"
SOUTH_EAST_ASIAN = r"\p{lb=SA}"
UNSPACED = f"[{EAST_ASIAN}{SOUTH_EAST_ASIAN}]"
"""What scripts without spaces are written with: a class of characters for `regex`, version 1."""

_LETTER = r"[[\w\p{N}]--[\p{M}\p{Join_C}]]"
_UNSPACED = f"[{_LETTER}&&{UNSPACED}]"
_SPACED = rf"[{_LETTER}--{_UNSPACED}]"
_CHARACTER = rf"(?={_UNSPACED})\X"
# The first alternative only saves time.
_WORD = (
    r"[a-zA-Z0-9_]++(?![^\0-\x7f])"
    rf"|{_SPACED}(?:[{_SPACED}\p{{M}}]+|\p{{Join_C}}+(?={_SPACED}))*"
)
# U+200B is the space of scripts that write none, and Python's white space has four characters more.
_MARK = rf"[^{_LETTER}\s\x1c-\x1f\u200b]"

_TOKENS = regex.compile(rf"{_WORD}|{_CHARACTER}|{_MARK}+", regex.V1)
_COUNTED = regex.compile(rf"{_WORD}|{_CHARACTER}|{_MARK}", regex.V1)
_WORDS = regex.compile(rf"{_WORD}|{_CHARACTER}", regex.V1)
_RUNS = regex.compile(rf"{_WORD}|((?:{_CHARACTER})+)", regex.V1)
_CHARACTERS = regex.compile(r"\X")

# Where all characters are among these, `re` finds the same words in a third of the time.
_NOT_PLAIN = re.compile(r"[^\0-\u02ff\u2010-\u203e\u20a0-\u20bf\u2122]")
_PLAIN_TOKENS = re.compile(r"\w+|[^\w\s]+")
_PLAIN_COUNTED = re.compile(r"\w+|[^\w\s]")
_PLAIN_WORDS = re.compile(r"\w+")
_PLAIN_TERMS = re.compile(r"\w\w+")

_KINDS_OF_ASCII = bytes(
    ord("w" if _PLAIN_WORDS.match(one) else "." if _PLAIN_COUNTED.match(one) else " ")
    for one in map(chr, range(256))
)
"""Of each byte of ASCII whether it is of a word, a mark or space; of others, nothing is asked."""


_LONG = 100_000
"""Characters of a text whose words would take much memory together."""


def tokens(text: str) -> list[str]:
    """Give the words of a text and its runs of punctuation marks, in order.

    Of a script that puts no space between words, each character is a word.
    """
    return (_PLAIN_TOKENS if _is_plain(text) else _TOKENS).findall(text)


def words(text: str) -> list[str]:
    """Give its words alone, as `tokens` does."""
    return (_PLAIN_WORDS if _is_plain(text) else _WORDS).findall(text)


def terms(text: str) -> list[str]:
    """Give what a text is searched by: its words of two or more characters, in order.

    Of a run of a script that puts no space between words, each two neighbouring characters; the
    character of a run of one.
    """
    if _is_plain(text):
        return _PLAIN_TERMS.findall(text)
    found: list[str] = []
    for match in _RUNS.finditer(text):
        if match[1] is None:
            if len(match[0]) > 1:
                found.append(match[0])
            continue
        characters = _CHARACTERS.findall(match[1])
        found += [one + other for one, other in pairwise(characters)] or characters
    return found


def count_words(text: str) -> int:
    """Count words and punctuation marks, a length that no tokenizer decides.

    Of a script that puts no space between words, each character is a word.
    """
    if text.isascii():  # as most texts are: of these no word becomes an object of Python's
        kinds = (" " + text).encode().translate(_KINDS_OF_ASCII)
        return kinds.count(b".") + kinds.count(b" w") + kinds.count(b".w")
    pattern = _PLAIN_COUNTED if _is_plain(text) else _COUNTED
    if len(text) < _LONG:
        return len(pattern.findall(text))
    return sum(1 for _ in pattern.finditer(text))  # takes longer, and no memory


def has_letter(term: str) -> bool:
    """Whether a word says something of its language, as a number does not."""
    return any(map(str.isalpha, term))


def _is_plain(text: str) -> bool:
    return text.isascii() or _NOT_PLAIN.search(text) is None
