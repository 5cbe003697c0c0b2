"""How much faster is embedding than `SentenceTransformer.encode`, and how far from float32?

Both run all-MiniLM-L6-v2 over the same real texts on the same cores, from strings to vectors.
sentence-transformers gets its best batch size of a sweep, in float32 and in bfloat16. Rounds of
all competitors alternate, so that noise hits all alike; the best round of each counts.
"""

import os
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet as pq
import torch
from harness import parse_arguments, publish
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from selection.basics.hardware import has_bfloat16
from selection.embedding.bert import ROUND_TOKENS
from selection.embedding.build import MINILM_MAX_TOKENS, minilm_folder
from selection.embedding.embedder import CHUNK, Embedder, encode
from selection.embedding.precision import EmbeddingPrecision
from selection.embedding.transformer import load_transformer

TEXTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "pool_domains_small.parquet"
Name = TypeVar("Name", str, int)
LIBRARIES = ("torch", "sentence-transformers", "transformers", "tokenizers", "numpy")


def load_theirs(precision: EmbeddingPrecision, device: str) -> SentenceTransformer:
    """Load the reference in a precision, as its documentation says."""
    model = SentenceTransformer(
        str(minilm_folder()), device=device, model_kwargs={"dtype": precision}
    )
    model.max_seq_length = MINILM_MAX_TOKENS
    return model


def busy_elsewhere() -> float:
    """Seconds that all cores were busy with other processes since the machine started (Linux).

    Other work slows most whoever shares each product among all cores, so a run in which it took
    a part of a core says little.
    """
    fields = [int(value) for value in Path("/proc/stat").read_text().split("\n")[0].split()[1:8]]
    busy = sum(fields) - fields[3] - fields[4]  # all but idle and waiting for a disk
    own = os.times()
    return busy / os.sysconf("SC_CLK_TCK") - own.user - own.system


def rounds_of(calls: dict[Name, Callable[[], Any]], rounds: int) -> dict[Name, list[float]]:
    """Seconds of each call in each round; all calls take part in every round."""
    taken: dict[Name, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    return taken


def best_batch_size(model: SentenceTransformer, texts: list[str], sizes: tuple[int, ...]) -> int:
    """Return the fastest batch size, by the better of two calls."""
    model.encode(texts[:32])
    taken = rounds_of({n: partial(model.encode, texts, batch_size=n) for n in sizes}, 2)
    return min(taken, key=lambda size: min(taken[size]))


def our_padding(model: Embedder, texts: list[str]) -> tuple[int, float]:
    """Tokens of the texts, and the share of what the model computes that is padding."""
    real = padded = 0
    for start in range(0, len(texts), CHUNK):
        lengths = model.tokenize(texts[start : start + CHUNK]).lengths
        real += int(lengths.sum())
        for batch in model.batching.plan(lengths):
            taken = int(model.batching.padded(lengths[batch]).sum())
            padded += -(-taken // ROUND_TOKENS) * ROUND_TOKENS
    return real, 1 - real / padded


def main() -> None:
    """Sweep, race, compare vectors."""
    arguments = parse_arguments(__doc__)
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    n_texts, n_swept, rounds = (256, 96, 2) if arguments.quick else (768, 192, 3)
    sizes = (8, 16, 32) if arguments.quick else (8, 16, 24, 32, 64)
    if device != "cpu":
        n_texts, n_swept, sizes = 16 * n_texts, 16 * n_swept, tuple(8 * size for size in sizes)
    texts = pq.read_table(TEXTS, columns=["text"])["text"].to_pylist()[:n_texts]

    precisions: list[EmbeddingPrecision] = [
        "float32",
        *(["bfloat16"] if has_bfloat16(device) else []),
    ]
    calls: dict[str, Callable[[], Any]] = {}
    ours: dict[EmbeddingPrecision, Embedder] = {}
    swept: dict[EmbeddingPrecision, int] = {}
    for precision in precisions:
        theirs = load_theirs(precision, device)
        swept[precision] = best_batch_size(theirs, texts[:n_swept], sizes)
        calls[f"sentence-transformers {precision}"] = partial(
            theirs.encode, texts, batch_size=swept[precision]
        )
        ours[precision] = load_transformer(
            minilm_folder(), MINILM_MAX_TOKENS, device=device, precision=precision
        )
        calls[f"ours {precision}"] = partial(encode, ours[precision], texts)
    busy = busy_elsewhere()
    taken = rounds_of(calls, rounds)
    others = busy_elsewhere() - busy

    fastest = precisions[-1]
    encoded = encode(ours[fastest], texts)
    exact = load_theirs("float32", device).encode(texts, normalize_embeddings=True)
    vectors = encoded.vectors.astype(np.float32)
    cosines = (vectors * exact[encoded.kept]).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    n_tokens, padding = our_padding(ours[fastest], texts)

    def gain(theirs: str, ours: str, of: Callable[[list[float]], float] = min) -> float:
        return of(taken[f"sentence-transformers {theirs}"]) / of(taken[f"ours {ours}"])

    figures: dict[str, Any] = {
        "speedup_vs_st_fp32": gain("float32", fastest),
        "speedup_fp32_vs_st_fp32": gain("float32", "float32"),
        "min_cosine": float(cosines.min()),
        "median_speedup_vs_st_fp32": gain("float32", fastest, statistics.median),
        "texts": len(texts),
        "tokens": n_tokens,
        "threads": torch.get_num_threads(),
        "cores_taken_by_others": others / sum(map(sum, taken.values())),
        "precision": fastest,
        "path": ours[fastest].path,
        "padding_share": padding,
    }
    if fastest == "bfloat16":
        figures["speedup_vs_st_bf16"] = gain(fastest, fastest)
        figures["median_speedup_vs_st_bf16"] = gain(fastest, fastest, statistics.median)
        figures["min_cosine_of_sample"] = encoded.min_cosine
    for precision in precisions:
        figures[f"st_batch_size_{precision}"] = swept[precision]
    for name, seconds in taken.items():
        figures[f"tokens_per_second {name}"] = n_tokens / min(seconds)
    publish(figures, LIBRARIES, arguments.json)


if __name__ == "__main__":
    main()
