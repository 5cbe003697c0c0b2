"""Synthetic texts and a real WordPiece tokenizer that reads them.

Words are made of syllables and drawn by Zipf's law, some of them from the words of a text's topic.
The tokenizer knows half of all words whole and the syllables of the rest, so that a word takes a
little more than one token, as in English.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

TOPICS = 50
_TOPIC_WORDS = 200
_TOPIC_SHARE = 0.3
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_SYLLABLES = ["".join(letters) for letters in product("bdfglmnprstvz", "aeiou", ("", "n", "r"))]


def make_words(known: int) -> list[str]:
    """Twice ``known`` different words, the more common ones shorter."""
    random = np.random.default_rng(0)
    words: dict[str, None] = {}
    while len(words) < 2 * known:
        syllables = 2 + len(words) // known + int(random.integers(2))
        words["".join(random.choice(_SYLLABLES, syllables))] = None
    return list(words)


def make_tokenizer(words: list[str]) -> Tokenizer:
    """Know the first half of the words whole, and every syllable."""
    pieces = [*_SYLLABLES, *(f"##{syllable}" for syllable in _SYLLABLES)]
    vocabulary = dict.fromkeys([*_SPECIAL, *pieces, *words[: len(words) // 2]])
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, numbers[name]) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def make_texts(count: int, words: list[str], length: int, topics: int = TOPICS) -> list[str]:
    """Make texts of so many words each, of the first few topics."""
    random = np.random.default_rng(1)
    zipf = 1.0 / np.arange(3, len(words) + 3)
    table = np.array(words, dtype=object)
    of_topic = random.integers(len(words), size=(TOPICS, _TOPIC_WORDS))
    topic = random.integers(topics, size=count)
    common = random.choice(len(words), size=(count, length), p=zipf / zipf.sum())
    special = of_topic[topic[:, None], random.integers(_TOPIC_WORDS, size=(count, length))]
    drawn = np.where(random.random((count, length)) < _TOPIC_SHARE, special, common)
    return [" ".join(table[row]) for row in drawn]
