"""A tokenizer of our own, and how many tokens a row costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL_TOKENS = (END_OF_TEXT, PAD)  # their ids are 0 and 1, in this order
BYTE_ALPHABET = 256


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer: any text round-trips, no token is ever unknown.

    Parameters
    ----------
    texts : iterable of str
        Read once, streamed. The same texts, in any order, give the same tokenizer.
    vocab_size : int
        Size with the two special tokens; fewer when the texts have too few distinct merges.

    Raises
    ------
    ValueError
        If `vocab_size` cannot hold the 256 bytes and the special tokens.
    """
    smallest = BYTE_ALPHABET + len(SPECIAL_TOKENS)
    if vocab_size < smallest:
        raise ValueError(f"vocab_size must be >= {smallest} for a byte-level BPE, got {vocab_size}")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, batch: int = 1024
) -> list[list[int]]:
    """Token ids of each text, without any special token.

    A special token's *name* inside a row ("<|endoftext|>" in a docstring) is split like any other
    text, so that a row cannot end itself.
    """
    ids: list[list[int]] = []
    for start in range(0, len(texts), batch):
        encoded: Any = tokenizer(
            list(texts[start : start + batch]),
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        ids += encoded["input_ids"]
    return ids


def count_tokens(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, batch: int = 1024
) -> np.ndarray:
    """Tokens of each row plus one for the end-of-text separator.

    Returns
    -------
    ndarray of shape (n_texts,), int64
    """
    lengths = map(len, tokenize(tokenizer, texts, batch=batch))
    return np.fromiter(lengths, dtype=np.int64, count=len(texts)) + 1


def required_id(token_id: object) -> int:
    """Give the id of a special token, or raise ValueError where the tokenizer has none."""
    if not isinstance(token_id, int):
        raise ValueError("the tokenizer defines no end-of-text token (eos_token)")
    return token_id
