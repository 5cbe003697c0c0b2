"""In which ways does a row of a pool leak a held-out row of the target, and in what words?"""

from __future__ import annotations

TARGET_LEAK = "target_leak"
"""Fate of such a row."""

EQUAL, NGRAM, NEAR = "equal", "ngram", "near"

IN_WORDS = {
    EQUAL: "it equals a held-out row, but for case, punctuation and spaces",
    NGRAM: "it has words of a held-out row in their order",
    NEAR: "it has the words of a held-out row, somewhat changed, and nearly its vector",
}
"""What each kind of leak is."""
