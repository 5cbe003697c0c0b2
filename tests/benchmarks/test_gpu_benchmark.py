"""The GPU benchmark's twin on a CPU, where little of what the project needs is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from places import REPOSITORY
from processors import BFLOAT16

from selection.basics.hardware import BFLOAT16_VARIABLE

BENCHMARK = REPOSITORY / "benchmarks" / "gpu.py"
ENGINE = ("pool_pass", "potentials", "sampled", "scores", "stability")
MISSING_ON_A_GPU_MACHINE = (
    "dagster",
    "datasets",
    "duckdb",
    "faiss",
    "matplotlib",
    "model2vec",
    "ot",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "xxhash",
)


def python_without(
    packages: tuple[str, ...], folder: Path, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Python where importing any of these packages fails, from a folder elsewhere."""
    blocked = f"import sys\nfor name in {packages!r}:\n    sys.modules[name] = None\n"
    (folder / "sitecustomize.py").write_text(blocked)
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"} | variables
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module", params=["shown", pytest.param("hidden", marks=pytest.mark.slow)])
def report(request, tmp_path_factory):
    """What it writes on a processor without bfloat16 products, and on one with them."""
    folder = tmp_path_factory.mktemp("twin")
    file = folder / "twin.json"
    ended = python_without(
        MISSING_ON_A_GPU_MACHINE,
        folder,
        *(BENCHMARK, "--device", "cpu", "--quick", "--json", file),
        **{BFLOAT16_VARIABLE: BFLOAT16[request.param]},
    )
    assert ended.returncode == 0, ended.stderr
    made = json.loads(file.read_text())
    solved_in_bfloat16 = "bfloat16_cached_residual" in made["figures"]["correctness"]
    assert solved_in_bfloat16 == (request.param == "shown")
    return made


def test_every_section_leaves_its_figures(report):
    assert list(report["figures"]) == [
        "ceilings",
        "correctness",
        "large problem",
        "scoring from host",
        "encoders",
        "rivals",
    ]
    assert report["versions"]["torch"]
    assert report["device"]
    for section, found in report["figures"].items():
        for name, value in found.items():
            if name.endswith(("seconds", "tflops", "per_second", "per_gpu_hour", "per_hour")):
                assert value > 0, f"{section}: {name}"


def test_every_path_is_right_against_float64(report):
    found = report["figures"]["correctness"]
    assert found["failures"] == []
    for path in ("cached", "streamed"):
        assert found[f"float32_{path}_residual"] <= 1e-3
        assert found[f"float32_{path}_residual"] == pytest.approx(
            found[f"float32_{path}_claimed_residual"], rel=1e-2
        )
        assert found[f"float32_{path}_top_overlap"] >= 0.99
    assert found["scored_in_float32_max_error_in_eps"] < 1e-4


def test_resident_and_host_rows_are_scored_alike(report):
    found = report["figures"]["large problem"]
    assert found["failures"] == []
    assert found["pageable_residual"] == pytest.approx(found["uploaded_residual"], rel=1e-6)
    assert found["score_float32_residual"] <= 1e-3
    scored = report["figures"]["scoring from host"]
    assert scored["finite"]
    assert scored["rows"] == 3 * found["rows"]


def test_the_plain_solver_reaches_the_same_residual(report):
    found = report["figures"]["rivals"]
    assert found["plain_torch_float32_reached"]
    assert found["plain_torch_float32_residual"] <= found["tol"]
    assert found["ours_float32_streamed_residual"] <= found["tol"]
    assert found["flash_sinkhorn"].startswith("skipped")


def test_the_encoder_is_that_of_transformers_and_its_texts_are_full(report):
    found = report["figures"]["encoders"]
    for name, tokens in (("minilm", 32), ("distilbert", 48)):
        assert found[f"{name}_least_cosine_packed_to_transformers"] > 0.999
        assert found[f"{name}_tokens_read_per_text"] == tokens
        assert found[f"{name}_selected"] == found[f"{name}_rows"] // 20
        slowest = found[f"{name}_embed_rows_per_gpu_hour"]
        assert found[f"{name}_end_to_end_rows_per_gpu_hour"] <= slowest


def test_the_engine_needs_only_numpy_torch_and_tqdm(tmp_path):
    imports = "\n".join(f"import selection.transport.{name}" for name in ENGINE)
    script = f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{imports}\n"
    packages = (*MISSING_ON_A_GPU_MACHINE, "transformers", "tokenizers", "yaml", "filelock")
    ended = python_without(packages, tmp_path, "-c", script)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_default_is_an_error_that_names_the_remedy(tmp_path):
    ended = python_without((), tmp_path, BENCHMARK)
    assert ended.returncode == 2
    assert "--device cpu --quick" in ended.stderr


def test_full_sizes_are_refused_on_a_cpu(tmp_path):
    ended = python_without((), tmp_path, BENCHMARK, "--device", "cpu")
    assert ended.returncode == 2
    assert "--quick" in ended.stderr
