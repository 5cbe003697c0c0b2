"""How small must eps be for entropic OT to rank rows as exact OT does, and what does that take?

On the targets of the real studies, with the vectors of their embedder: parts of each study's pool,
of about as many rows as the small studies have and of more, drawn anew each time, and so many rows
of the target as steer a selection. The exact potentials are POT's (`ot.emd`), and rows rank by the
calibrated gradient in both. A part has a prime number of rows: with uniform weights exact OT then
has one pair of potentials only.

*Agreement* is the overlap of the best 5 % with those of exact OT. *Redrawn* is the overlap of the
best 5 % of the rows that stay when the other half of the part is replaced: what is missing, a
ranking owes to which rows happened to be there. Passes are those of a solve to the default
tolerance, annealing included. Each figure is the mean of the draws.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from harness import parse_arguments, publish

from selection.basics.draws import keyed_uniform
from selection.config.embedders import EmbedderSpec
from selection.embedding.build import write_embedder
from selection.embedding.embedder import Embedder, encode, load_embedder
from selection.reports.tables import markdown_table
from selection.transport.points import unit_rows
from selection.transport.potentials import solve_potentials
from selection.transport.stability import top_overlap

CHECKOUT = Path(__file__).resolve().parents[1]
STUDIES = ("ag_news", "chemprot", "sci_cite", "amazon5", "gsm8k")
EPS_REL = (0.1, 0.05, 0.03, 0.02, 0.01)
EXACT = "exact"
SIZES, QUICK_SIZES = (1009, 8009), (1009,)
DRAWS, QUICK_DRAWS = 3, 1
BEST = 0.05
LIBRARIES = ("numpy", "torch", "POT", "model2vec")
OF_SOLVE = "passes"
COLUMNS = ("agreement", "redrawn", OF_SOLVE)

Found = dict[str, dict[str, float]]
"""Name of a ranking to its figures."""


def main() -> None:
    """Measure target by target, print the table and, with --json, write it."""
    arguments = parse_arguments(__doc__)
    sizes, n_draws = (QUICK_SIZES, QUICK_DRAWS) if arguments.quick else (SIZES, DRAWS)
    figures: dict[str, float] = {}
    lines: list[list[Any]] = []
    for n_rows in sizes:
        found: dict[str, list[dict[str, float]]] = {}
        for study in STUDIES:
            pool, target = vectors(study, n_rows, n_draws)
            draws = [of_draw(part, target, n_rows) for part in pool]
            for name in draws[0]:
                found.setdefault(name, []).append(_mean([draw[name] for draw in draws]))
                lines.append([n_rows, study, name, *_cells(found[name][-1])])
                for of, value in found[name][-1].items():
                    figures[f"{n_rows} rows, {study}, {name}, {of}"] = value
        lines += [[n_rows, "mean", name, *_cells(_mean(of))] for name, of in found.items()]
    print(markdown_table(["rows", "target", "eps_rel", *COLUMNS], lines))
    if arguments.json is not None:
        publish(figures, LIBRARIES, arguments.json, shown={})


def vectors(study: str, n_rows: int, n_draws: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Unit rows of parts of a study's pool, each half as long again, and of its target."""
    fields = _yaml(f"studies/{study}.yaml")
    (source,) = _yaml(f"studies/pools/{fields['pool']}.yaml")["sources"]
    target = pq.read_table(_data(fields["target"]["path"]), columns=["text", "split"])
    train = target.filter(np.array(target["split"].to_pylist()) == "train")["text"].to_pylist()
    texts = pq.read_table(_data(source["path"]), columns=["text"])["text"].to_pylist()
    parts = [_drawn(texts, n_rows + n_rows // 2, seed) for seed in range(n_draws)]
    steering = _drawn(train, fields["target"]["splits"]["train"], 0)
    model = _model(yaml.safe_dump(fields["embedder"]))
    found = [unit_rows(encode(model, one).vectors, study) for one in (*parts, steering)]
    return found[:-1], found[-1]


@cache
def _model(fields: str) -> Embedder:
    """Make an embedder, once for all studies that have the same."""
    spec = EmbedderSpec.model_validate(yaml.safe_load(fields))
    with tempfile.TemporaryDirectory() as folder:
        write_embedder(spec, Path(folder), resolve=Path)
        return load_embedder(Path(folder))


def _mean(found: list[dict[str, float]]) -> dict[str, float]:
    return {of: float(np.mean([one[of] for one in found])) for of in found[0]}


def _cells(found: dict[str, float]) -> list[float | None]:
    return [found.get(of) for of in COLUMNS]


def of_draw(part: np.ndarray, target: np.ndarray, n_rows: int) -> Found:
    """Rank the rows with one half of their pool, and with another."""
    stay = n_rows - n_rows // 2
    pools = [part[:n_rows], np.concatenate([part[:stay], part[n_rows:]])]
    exact = [exact_potentials(pool, target) for pool in pools]
    found = {EXACT: _figures(exact, exact, stay)}
    for eps_rel in EPS_REL:
        solved = [solve_potentials(pool, target, eps_rel=eps_rel) for pool in pools]
        figures = _figures([one.f for one in solved], exact, stay)
        passes = float(np.mean([one.iterations for one in solved]))
        found[f"{eps_rel:g}"] = figures | {OF_SOLVE: passes}
    return found


def exact_potentials(pool: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Potentials of the pool's rows of shape (n,): those of the target, transformed."""
    import ot

    cost = 2.0 - 2.0 * pool @ target.T
    of_pool, of_target = (np.full(n, 1.0 / n) for n in cost.shape)
    _, log = ot.emd(of_pool, of_target, cost, numItermax=10_000_000, log=True)
    if log["warning"]:
        raise RuntimeError(f"POT has not solved the exact problem: {log['warning']}")
    return (cost - log["v"]).min(axis=1)


def _figures(found: list[np.ndarray], exact: list[np.ndarray], stay: int) -> dict[str, float]:
    agreement = [
        top_overlap(one, other, share=BEST) for one, other in zip(found, exact, strict=True)
    ]
    one, other = (potentials[:stay] for potentials in found)
    return {
        "agreement": float(np.mean(agreement)),
        "redrawn": top_overlap(one, other, share=BEST),
    }


def _drawn(texts: list[str], n: int, seed: int) -> list[str]:
    places = np.argsort(
        keyed_uniform([str(i) for i in range(len(texts))], seed=seed, purpose="eps")
    )
    if len(places) < n:
        raise SystemExit(f"{n:,} rows are wanted and there are {len(places):,}: run with --quick")
    return [texts[i] for i in places[:n]]


def _yaml(path: str) -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / path).read_text("utf-8"))


def _data(path: str) -> Path:
    found = (CHECKOUT / path).resolve()
    if not found.is_file():
        raise SystemExit(f"{found.name} is not beside the checkout, in ../shared/data")
    return found


if __name__ == "__main__":
    main()
