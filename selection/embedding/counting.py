"""How many tokens does an embedder's tokenizer find in texts, however long they are?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"
_AT_ONCE = 1024


def load_tokens_of(embedder: Path) -> Tokenizer:
    """Load the tokenizer of a folder that `build.write_embedder` wrote; it cuts and fills nothing.

    Raises
    ------
    ValueError
        When there is none.
    """
    from tokenizers import Tokenizer

    file = embedder / "model" / TOKENIZER_FILE
    if not file.is_file():
        raise ValueError(
            f"{embedder}: its model has no {TOKENIZER_FILE} to count tokens with; name a"
            " `base_model`, whose tokenizer counts them"
        )
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count_read(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text without any that a model adds, and at least one.

    Returns
    -------
    np.ndarray of shape (n,), int64
    """
    counts = np.empty(len(texts), dtype=np.int64)
    for start in range(0, len(texts), _AT_ONCE):
        some = list(texts[start : start + _AT_ONCE])
        read = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        counts[start : start + len(some)] = [len(one) for one in read]
    return np.maximum(counts, 1)
