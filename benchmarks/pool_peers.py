"""Is each part of a pool's way as fast as the package that others use for it?

    python benchmarks/pool_peers.py [--quick] [--json FILE]

The rows of `benchmarks/pool.py`, 200,000 or, with --quick, 20,000, on idle cores; each call is in a
process of its own. Above one, ours is faster.

- Reading: JSON lines read, checked, hashed, counted and freed of copies, against
  `datasets.load_dataset` and its `map` of the same checks, each in one process.
- Static embedding: the same model over the same texts, against model2vec's own `encode`.
- Near-duplicates, exact, among 5% of the rows: against `semhash` with its exact search and with
  its usual one, which is approximate, each given the vectors.
- DSIR, from the file's texts to weights: against the authors' `data-selection`.
"""

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from generated_rows import write_pool
from harness import in_own_process, option_parser, publish
from pick import DATA, POOL
from pool import TARGET, TARGET_ROWS

from selection.basics.text import row_id, text_fault
from selection.basics.words import count_words

ROWS, QUICK_ROWS = 200_000, 20_000
WIDTH = 256
COSINE = 0.97
SELECTED = 20
"""One row in so many is selected."""
LIBRARIES = ("datasets", "model2vec", "semhash", "data-selection", "pyarrow", "faiss-cpu")


def main() -> None:
    """Measure, print and, with --json, write."""
    given = option_parser(__doc__).parse_args()
    n_rows = QUICK_ROWS if given.quick else ROWS
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_pool(DATA / POOL, folder / "pool.jsonl", n_rows)
        texts = pq.read_table(DATA / "targets" / f"{TARGET}.parquet", columns=["text"])["text"]
        lines = [json.dumps({"text": text}) + "\n" for text in texts.to_pylist()[:TARGET_ROWS]]
        (folder / "target.jsonl").write_text("".join(lines))
        in_own_process(write_model, folder)
        figures: dict[str, float] = {}
        for part, (ours, theirs) in PARTS.items():
            figures[f"seconds_{part}"] = seconds = in_own_process(ours, folder)
            for name, call in theirs.items():
                if find_spec(PACKAGES.get(name, name)) is None:
                    print(f"{part}: {name} is not installed, and left out")
                    continue
                peer = in_own_process(call, folder)
                figures[f"seconds_{part}_{name}"] = peer
                figures[f"{part}_over_{name}"] = peer / seconds
    publish(figures, LIBRARIES, given.json)


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def read_ours(folder: Path) -> float:
    """Read the file as a source of a pool is read."""
    from selection.corpus.ingest import ingest
    from selection.corpus.readers import read_path

    out = folder / "ours"
    out.mkdir()
    rows = read_path(folder / "pool.jsonl", originals=True, together=True)
    return timed(lambda: ingest(rows, source="rows", folder=out))


def read_with_datasets(folder: Path) -> float:
    """Read it as users of `datasets` do who want the same."""
    import datasets

    datasets.disable_progress_bars()
    seen: set[str] = set()

    def checked(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        good = [text for text in batch["text"] if text_fault(text) is None]
        ids = [row_id(text) for text in good]
        new = [number for number, key in enumerate(ids) if not (key in seen or seen.add(key))]
        texts = [good[number] for number in new]
        words = [count_words(text) for text in texts]
        return {"row_id": [ids[number] for number in new], "text": texts, "n_words": words}

    def read() -> None:
        rows = datasets.load_dataset(
            "json",
            data_files=str(folder / "pool.jsonl"),
            split="train",
            cache_dir=str(folder / "cache"),
        )
        assert isinstance(rows, datasets.Dataset)
        rows.map(checked, batched=True, remove_columns=rows.column_names)

    return timed(read)


def write_model(folder: Path) -> None:
    """Distil the default embedder."""
    from selection.config.embedders import EmbedderSpec
    from selection.embedding.build import write_embedder

    model = {"kind": "static_minilm", "width": WIDTH}
    spec = EmbedderSpec.model_validate({"name": "static", "model": model})
    write_embedder(spec, folder / "model", resolve=Path)


def texts_of(folder: Path) -> list[str]:
    """Read the texts."""
    with (folder / "pool.jsonl").open() as lines:
        return [json.loads(line)["text"] for line in lines]


def embed_ours(folder: Path) -> float:
    """Embed all texts, and keep the vectors for the near-duplicates."""
    from selection.embedding.embedder import encode, load_embedder

    texts, model = texts_of(folder), load_embedder(folder / "model")
    found: list[Any] = []
    seconds = timed(lambda: found.append(encode(model, texts)))
    np.save(folder / "vectors.npy", found[0].vectors[::SELECTED].astype(np.float32))
    return seconds


def embed_with_model2vec(folder: Path) -> float:
    """Embed them as model2vec's users do."""
    from model2vec import StaticModel

    texts, model = texts_of(folder), StaticModel.from_pretrained(folder / "model" / "model")
    return timed(lambda: model.encode(texts))


def near_ours(folder: Path) -> float:
    """Find the rows that repeat an earlier one, chunk by chunk as a selection does."""
    from selection.neighbours.duplicates import NearDuplicates

    vectors = np.load(folder / "vectors.npy")

    def judge() -> None:
        near = NearDuplicates(vectors.shape[1], COSINE)
        for start in range(0, len(vectors), 1024):
            near.judge(vectors[start : start + 1024])

    return timed(judge)


def near_with_semhash(backend: str, folder: Path) -> float:
    """Find them with `semhash`, which is given the vectors."""
    from model2vec import StaticModel
    from semhash import SemHash  # pyright: ignore[reportMissingImports]

    vectors, texts = np.load(folder / "vectors.npy"), texts_of(folder)[::SELECTED]
    model = StaticModel.from_pretrained(folder / "model" / "model")

    def deduplicate() -> None:
        rows = SemHash.from_embeddings(vectors, texts, model, ann_backend=backend)
        rows.self_deduplicate(threshold=COSINE)

    return timed(deduplicate)


def dsir_ours(folder: Path) -> float:
    """Weigh all rows, from their texts."""
    from selection.methods import REGISTRY
    from selection.methods.contract.preparation import PrepareInputs
    from selection.methods.contract.protocol import FitInputs, ScoreInputs
    from selection.methods.contract.values import Rows

    method, texts = REGISTRY["dsir"], texts_of(folder)
    with (folder / "target.jsonl").open() as lines:
        wanted = [json.loads(line)["text"] for line in lines]

    def rows_of(texts: list[str]) -> Rows:
        ids = np.array([row_id(text) for text in texts])
        return Rows(ids, texts, np.ones(len(texts), dtype=np.int64))

    pool, target, options = rows_of(texts), rows_of(wanted), method.options()
    work = folder / "dsir"
    work.mkdir()

    def weigh() -> None:
        [counts] = method.preparations(options)
        inputs = PrepareInputs(options, lambda: iter([pool]), len(texts), work)
        rows = Rows(
            pool.row_id, texts, pool.n_words, features=counts.features(counts.prepare(inputs))
        )
        fitted = method.fit(FitInputs(target, lambda: iter([rows]), len(texts), options, 0))
        method.score(fitted, ScoreInputs(rows, target=target, options=options, seeds=[0]))

    return timed(weigh)


def dsir_with_data_selection(folder: Path) -> float:
    """Weigh them with the authors' package, from the file."""
    from data_selection import HashedNgramDSIR

    def weigh() -> None:
        files = ([str(folder / f"{name}.jsonl")] for name in ("pool", "target"))
        dsir = HashedNgramDSIR(*files, cache_dir=str(folder / "dsir_cache"), num_proc=2)
        dsir.fit_importance_estimator()
        dsir.compute_importance_weights()

    return timed(weigh)


PARTS: dict[str, tuple[Callable[[Path], float], dict[str, Callable[[Path], float]]]] = {
    "reading": (read_ours, {"datasets": read_with_datasets}),
    "embedding": (embed_ours, {"model2vec": embed_with_model2vec}),
    "near_duplicates": (
        near_ours,
        {
            "semhash_exact": partial(near_with_semhash, "basic"),
            "semhash": partial(near_with_semhash, "usearch"),
        },
    ),
    "dsir": (dsir_ours, {"data_selection": dsir_with_data_selection}),
}
"""Ours and the peers', by the part."""
PACKAGES = {"semhash_exact": "semhash"}
"""Of peers that are called otherwise."""


if __name__ == "__main__":
    main()
