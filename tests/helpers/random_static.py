"""A static embedder with MiniLM's words and vectors that mean nothing, made in a moment."""

from pathlib import Path

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer

from selection.embedding.build import minilm_folder
from selection.embedding.static import StaticEmbedder


def random_static(folder: Path, width: int) -> StaticEmbedder:
    """Write it into a folder, and load it."""
    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    vectors = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), width))
    StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(folder)
    return StaticEmbedder.load(folder, "auto")
