"""What embedding will cost: exact for few texts, near for many, and a plain number for both."""

import numpy as np
import pytest
from random_static import random_static
from real_texts import generated_texts

from selection.basics.words import count_words
from selection.embedding.embedder import encode
from selection.embedding.estimate import SAMPLE_TEXTS, count_flops, estimate_flops
from selection.embedding.static import StaticEmbedder

WIDTH = 8


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    return random_static(tmp_path_factory.mktemp("static"), WIDTH)


def words(texts: list[str]) -> np.ndarray:
    return np.array([count_words(text) for text in texts], dtype=np.int32)


@pytest.mark.parametrize("n", [0, 1, SAMPLE_TEXTS])
def test_few_texts_are_counted(embedder, n):
    texts = [text for texts in generated_texts(n // 3 + 1).values() for text in texts][:n]
    estimated = estimate_flops(embedder, texts, words(texts))
    assert type(estimated) is float
    assert estimated == count_flops(embedder, texts) == encode(embedder, texts).n_tokens * WIDTH


def test_many_texts_are_estimated_within_a_twentieth(embedder):
    texts = [text for texts in generated_texts(2 * SAMPLE_TEXTS).values() for text in texts]
    estimated = estimate_flops(embedder, texts, words(texts))
    assert type(estimated) is float  # numpy's would not be compared as a plain number is
    assert estimated == pytest.approx(count_flops(embedder, texts), rel=0.05)
