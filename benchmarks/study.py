"""Is any selection method worth its cost, on real pools and real targets?

Runs the studies of `studies/` on the data beside the checkout, in a project folder of their own
below `.study/`, and writes their part of docs/results.md. What is done stays done: a run that was
stopped goes on where it was. `SELECTION_ROOT=.study/<scale> make ui` shows it in Dagster.

`--scale full` runs the studies as they are. The others draw a part of each source by a hash of its
rows' ids and take smaller models, so that two cores get through; `--quick` is the smallest.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from harness import option_parser, publish

from resources.project import ROOT_VARIABLE
from selection.basics.draws import keyed_uniform

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
LIBRARIES = ("dagster", "duckdb", "torch", "transformers", "POT", "faiss-cpu", "bm25s")
LABELLED = ("ag_news", "chemprot", "sci_cite", "amazon5")
GENERATION = ("gsm8k",)


@dataclass(frozen=True)
class Scale:
    """A part of the real study."""

    studies: tuple[str, ...] = (*LABELLED, *GENERATION)  # of `studies/`
    rows: dict[str, int] = field(default_factory=dict)  # of each source, by pool; else all
    test: int | None = None  # examples of each target, at most, that the models are measured on
    epochs: int = 1  # of the base model's pre-training
    without: frozenset[str] = frozenset()  # methods that are left out
    # Fields of the models and of the studies that differ.
    base: dict[str, Any] = field(default_factory=dict)
    selector: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)


# A part of a pool has few words to learn from: they are read three times.
PRETRAINING_EPOCHS = 3
SMALL = Scale(
    studies=("ag_news", "chemprot"),
    rows={"domains": 120},
    test=300,
    epochs=PRETRAINING_EPOCHS,
    base={"width": 96, "layers": 3, "ffn_width": 256, "pretraining_words": 55_000},
    selector={"width": 24, "layers": 1, "heads": 2, "ffn_width": 64, "pretraining_words": 55_000},
    fields={"budgets": [0.05, 0.1]},
)
SCALES = {
    "small": SMALL,
    # As small, with the embedder tuned on each target, and what reads its vectors.
    "tuned": replace(
        SMALL,
        fields=SMALL.fields
        | {
            "embedder": {
                "name": "tuned_minilm",
                "model": {"kind": "static_minilm", "width": 256},
                "tuning": {"learning_rate": 1.0e-2},
            },
            "methods": {
                "random": None,
                "embedding": None,
                "round_robin": {"method": "embedding", "variant": "round_robin"},
                "ot": None,
            },
        },
    ),
    # Some two hours of two cores. What other options of DSIR and transport do the small one says.
    "medium": Scale(
        rows={"domains": 180, "instructions": 70},
        test=300,
        epochs=PRETRAINING_EPOCHS,
        without=frozenset({"dsir_length", "dsir_paper", "ot_sources", "ot_density"}),
        fields={"budgets": [0.025, 0.1, 0.25]},
        base={"width": 128, "ffn_width": 344, "pretraining_words": 105_000},
        selector={
            "width": 32,
            "layers": 1,
            "heads": 2,
            "ffn_width": 86,
            "pretraining_words": 75_000,
        },
    ),
    "full": Scale(),
}


def write_project(root: Path, scale: Scale) -> None:
    """Write the project: what the scale changes is changed, and the pools' files are cut."""
    for folder in ("studies/pools", "data", "dagster_home"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(CHECKOUT / "dagster_home" / "dagster.yaml", root / "dagster_home")
    _write(root / "project.yaml", {"roots": [str((CHECKOUT / "../shared/data").resolve())]})
    pools = set()
    for name in scale.studies:
        study = yaml.safe_load((CHECKOUT / "studies" / f"{name}.yaml").read_text("utf-8"))
        study["base_model"] |= scale.base
        study["base_model"]["training"]["epochs"] = scale.epochs
        study["selector"] |= scale.selector
        study["methods"] = {
            name: options for name, options in study["methods"].items() if name not in scale.without
        }
        if scale.test is not None:
            splits = study["target"]["splits"]
            splits["test"] = min(splits["test"], scale.test)
        study["target"]["path"] = str(_data(study["target"]["path"]))
        pools.add(study["pool"])
        study |= scale.fields
        if "tuning" in study["embedder"]:  # what is tuned on a target is of one study only
            study["embedder"] = study["embedder"] | {"name": f"{study['embedder']['name']}_{name}"}
        _write(root / "studies" / f"{name}.yaml", study)
    for name in pools:
        pool = yaml.safe_load((CHECKOUT / "studies/pools" / f"{name}.yaml").read_text("utf-8"))
        for source in pool["sources"]:
            path = _data(source["path"])
            if name in scale.rows:
                path = _drawn(path, source["split_by"], scale.rows[name], root / "data")
            source["path"] = str(path)
        _write(root / "studies/pools" / f"{name}.yaml", pool)


def _data(path: str) -> Path:
    found = (CHECKOUT / path).resolve()
    if not found.is_file():
        raise SystemExit(f"{found} is missing: the real study needs the data beside the checkout")
    return found


def _drawn(path: Path, split_by: str, rows: int, folder: Path) -> Path:
    """Write so many rows of each source, by a hash of their ids; the same draw every time."""
    cut = folder / f"{path.stem}_{rows}.parquet"
    if cut.is_file():
        return cut
    table = pq.read_table(path)
    order = np.argsort(keyed_uniform(table["id"].to_pylist(), seed=0, purpose="study pool"))
    seen: dict[str, int] = {}
    kept, sources = [], table[split_by].to_pylist()
    for row in order:
        source = sources[row]
        seen[source] = seen.get(source, 0) + 1
        if seen[source] <= rows:
            kept.append(int(row))
    pq.write_table(table.take(pa.array(sorted(kept))), cut)
    return cut


def _write(file: Path, content: dict[str, Any]) -> None:
    """Write a file only if it differs, so that nothing looks changed that is not."""
    text = yaml.safe_dump(content, sort_keys=False)
    if not file.is_file() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")


def run(root: Path, command: list[str]) -> float:
    """Run a command in the project; returns the seconds it took."""
    environment = os.environ | {
        ROOT_VARIABLE: str(root),
        "DAGSTER_HOME": str(root / "dagster_home"),
    }
    started = time.monotonic()
    subprocess.run(command, cwd=CHECKOUT, env=environment, check=True)
    return time.monotonic() - started


def main() -> None:
    """Read the command line, run the studies, write the page."""
    parser = option_parser(__doc__)
    parser.add_argument("--scale", choices=SCALES, default="full")
    arguments = parser.parse_args()
    name = "small" if arguments.quick else arguments.scale
    scale = SCALES[name]
    root = CHECKOUT / ".study" / name
    write_project(root, scale)
    figures = {}
    for study in scale.studies:
        figures[f"seconds {study}"] = run(root, [str(BIN / "selection"), "run", study])
    said = "make study" if name == "small" else f"python benchmarks/study.py --scale {name}"
    page = [sys.executable, "-m", "docs.results", "--part", name, "--made-by", said]
    run(root, [*page, *scale.studies])
    publish(figures, LIBRARIES, arguments.json)


if __name__ == "__main__":
    main()
