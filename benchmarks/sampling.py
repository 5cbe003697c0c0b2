"""How many rows must a solve see, for the whole pool's best rows to come out right?

For each eps, the whole pool is solved once. Then samples are solved and every row of the pool is
scored from them: the share of the pool's best 0.1 %, 1 % and 10 % that they get right is set
beside what the certificate estimated without knowing the full solve.

The vectors are those of the pipeline's default embedder (static, distilled from MiniLM, 256 wide)
over all 222,480 passages of ../shared/data/pool_domains.parquet; the target is ag_news.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from harness import measure, parse_arguments, publish

from selection.basics.draws import keyed_uniform
from selection.config.embedders import EmbedderSpec
from selection.embedding.build import write_embedder
from selection.embedding.embedder import encode, load_embedder
from selection.reports.tables import markdown_table
from selection.transport.potentials import solve_potentials
from selection.transport.sampled import TOP_SHARES, Certificate, SampledSolve, solve_on_sample
from selection.transport.scores import row_potentials
from selection.transport.stability import top_overlap

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POOL, TARGET = DATA / "pool_domains.parquet", DATA / "targets" / "ag_news.parquet"
TARGET_ROWS = 1000
EPS_REL = (0.02, 0.05, 0.1)
SAMPLES = (3_000, 10_000, 30_000, 50_000, 100_000)
QUICK_ROWS, QUICK_SAMPLES = 30_000, (3_000, 10_000)
LIBRARIES = ("numpy", "torch", "model2vec")
ANYTHING = Certificate(max_residual=2.0, min_overlap=0.0)
COLUMNS = ["eps_rel", "rows solved", "share of the pool", "seconds", "residual, whole pool"] + [
    name for share in TOP_SHARES for name in (f"top {share:.1%}, true", "estimated")
]


def main() -> None:
    """Measure, print the table and, with --json, write it."""
    arguments = parse_arguments(__doc__)
    pool, keys, target = vectors(QUICK_ROWS if arguments.quick else None)
    print(f"{len(pool):,} rows of {pool.shape[1]} dimensions, {len(target):,} target rows\n")
    rows = []
    figures: dict[str, float] = {}
    for eps_rel in EPS_REL:
        # A residual well below any sample's, so that what differs is the sample.
        full = measure(partial(solve_potentials, pool, target, eps_rel=eps_rel, tol=1e-4))
        exact = row_potentials(pool, target, full.result)
        perfect = [1.0, 1.0] * len(TOP_SHARES)
        rows.append([f"{eps_rel}", len(pool), 1.0, full.seconds, full.result.residual, *perfect])
        for n_rows in QUICK_SAMPLES if arguments.quick else SAMPLES:
            sampled = measure(partial(on_sample, pool, keys, target, n_rows, eps_rel))
            found: SampledSolve = sampled.result
            scored = row_potentials(pool, target, found.potentials)
            overlaps = []
            for share in TOP_SHARES:
                true = top_overlap(scored, exact, share=share)
                overlaps += [true, found.overlap[share]]
                name = f"eps_rel {eps_rel}, {n_rows} rows, top {share:.1%}"
                figures[f"{name}, true"], figures[f"{name}, estimated"] = true, found.overlap[share]
            figures[f"eps_rel {eps_rel}, {n_rows} rows, residual"] = found.pool_fit.residual
            solved = [n_rows, n_rows / len(pool), sampled.seconds, found.pool_fit.residual]
            rows.append([f"{eps_rel}", *solved, *overlaps])
    print(markdown_table(COLUMNS, rows))
    if arguments.json is not None:
        publish(figures, LIBRARIES, arguments.json)


def vectors(n_pool: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embed the pool and the target; gives vectors, the pool's seeded keys, target vectors."""
    for file in (POOL, TARGET):
        if not file.is_file():
            raise SystemExit(f"{file.name} is not beside the checkout, in ../shared/data")
    pool = pq.read_table(POOL, columns=["id", "text"])
    keys = keyed_uniform(pool["id"].to_numpy(), seed=0, purpose="benchmark")
    kept = np.argsort(keys)[:n_pool]
    target = pq.read_table(TARGET, columns=["text"])["text"].to_pylist()[:TARGET_ROWS]
    spec = {"name": "static", "model": {"kind": "static_minilm"}}
    with tempfile.TemporaryDirectory() as folder:
        write_embedder(EmbedderSpec.model_validate(spec), Path(folder), resolve=Path)
        model = load_embedder(Path(folder))
        encoded = encode(model, pool["text"].take(kept).to_pylist())
        return encoded.vectors, keys[kept][encoded.kept], encode(model, target).vectors


def on_sample(
    pool: np.ndarray, keys: np.ndarray, target: np.ndarray, n_rows: int, eps_rel: float
) -> SampledSolve:
    """Solve on a sample as a study does, whatever the certificate says."""
    blocks = [slice(start, start + 20_000) for start in range(0, len(pool), 20_000)]
    return solve_on_sample(
        lambda: ((keys[block], pool[block]) for block in blocks),
        target,
        n_rows=n_rows,
        certificate=ANYTHING,
        options={"eps_rel": eps_rel},
    )


if __name__ == "__main__":
    main()
