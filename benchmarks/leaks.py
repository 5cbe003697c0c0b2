"""What finding the rows that leak a target takes, what it finds, and what it takes out for nothing.

The pool is ../shared/data/pool_domains.parquet, which had been cleared of thirteen words in a row
of any target: what is taken out is little else than mistakes. To be found are the held-out rows
with every eighth word that of another row, so that no thirteen in a row stay. `alike` is the share
of held-out rows to which another one has at least this cosine. The vectors are the default
embedder's.
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from harness import measure, parse_arguments, publish

from selection.basics.text import row_id
from selection.config.embedders import EmbedderSpec
from selection.embedding.build import write_embedder
from selection.embedding.embedder import Embedder, encode, load_embedder
from selection.leaks.held_out import Evidence, HeldOut
from selection.leaks.texts import find_leaking_texts
from selection.leaks.vectors import NearEvidence, find_leaking_vectors
from selection.reports.tables import markdown_table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POOL = DATA / "pool_domains.parquet"
TARGETS = ("mmlu", "boolq", "gsm8k", "imdb_small", "sci_cite", "bbh", "chemprot")
HELD_OUT, QUICK_ROWS = 1000, 20_000
COSINES = (0.9, 0.95, 0.97)
LIBRARIES = ("numpy", "regex", "faiss-cpu", "model2vec")
COLUMNS = [
    *("target", "held out", "s, words", "MB", "s, vectors", "out of the pool", "edited, found"),
    *(f"alike at {cosine}" for cosine in COSINES),
]


def main() -> None:
    """Measure, print the table and, with --json, write it."""
    arguments = parse_arguments(__doc__)
    if not POOL.is_file():
        raise SystemExit(f"{POOL.name} is not beside the checkout, in ../shared/data")
    pool = pq.read_table(POOL, columns=["text"])["text"]
    texts = pool.slice(0, QUICK_ROWS if arguments.quick else None).to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        spec = {"name": "static", "model": {"kind": "static_minilm"}}
        write_embedder(EmbedderSpec.model_validate(spec), Path(folder), resolve=Path)
        model = load_embedder(Path(folder))
    vectors = encode(model, texts)
    texts = [texts[place] for place in vectors.kept]
    print(f"{len(texts):,} rows\n")
    rows = [target_row(name, texts, vectors.vectors, model) for name in TARGETS]
    print(markdown_table(COLUMNS, rows))
    if arguments.json is not None:
        names = COLUMNS[1:]
        figures = {
            f"{row[0]}, {name}": value
            for row in rows
            for name, value in zip(names, row[1:], strict=True)
        }
        publish(figures, LIBRARIES, arguments.json)


def target_row(name: str, texts: list[str], vectors: np.ndarray, model: Embedder) -> list:
    """One row of the table."""
    columns = ["text", "prompt", "split"]
    rows = pq.read_table(DATA / f"targets/{name}.parquet", columns=columns).to_pylist()
    by_text = {row["text"]: row for row in rows if row["split"] != "train"}
    kept = list(by_text.values())[:HELD_OUT]
    evidence = Evidence(
        [HeldOut(row_id(row["text"]), row["text"], row["prompt"]) for row in kept], words=13
    )
    text_of = {row_id(row["text"]): row["text"] for row in kept}
    held_out = [text_of[row] for row in evidence.row_id]
    encoded = encode(model, held_out)
    near = NearEvidence(encoded.vectors, np.array(encoded.kept), evidence, cosine=COSINES[-1])
    by_words = measure(lambda: find_leaking_texts(texts, evidence))
    by_vectors = measure(lambda: find_leaking_vectors(vectors, texts.__getitem__, near))
    out = np.union1d(by_words.result.place, by_vectors.result.place)
    changed = edited(held_out)
    of_changed = encode(model, changed)
    said = [changed[place] for place in of_changed.kept]
    found = find_leaking_vectors(of_changed.vectors, said.__getitem__, near)
    seen = np.union1d(found.place, find_leaking_texts(said, evidence).place)
    cosine = encoded.vectors.astype(np.float32) @ encoded.vectors.astype(np.float32).T
    np.fill_diagonal(cosine, -1)
    alike = [float((cosine.max(axis=1) >= least).mean()) for least in COSINES]
    took = [by_words.seconds, by_words.peak_bytes / 1e6, by_vectors.seconds]
    return [name, len(held_out), *took, len(out), len(seen) / len(said), *alike]


def edited(texts: list[str]) -> list[str]:
    """Every eighth word is one of another row's."""
    rng = np.random.default_rng(0)
    words = [text.split() for text in texts]
    donors = [word for of_text in words for word in of_text]
    return [
        " ".join(donors[rng.integers(len(donors))] if i % 8 == 7 else w for i, w in enumerate(ws))
        for ws in words
    ]


if __name__ == "__main__":
    main()
