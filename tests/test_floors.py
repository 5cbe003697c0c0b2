"""Rules of the whole code base that no single test would notice being broken."""

import ast
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from places import REPOSITORY
from real_processes import run

from selection_assets.definitions import build_definitions

FLOORS = ("selection", "resources", "selection_assets", "sensors")
"""What imports what is import-linter's business, in `pyproject.toml`."""

API = {
    "selection/costs/__init__.py",
    "selection/curves/__init__.py",
    "selection/methods/__init__.py",
    "selection/transport/__init__.py",
}
"""Packages whose own names other programs call."""

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
ENGINE = "selection/basics/engine.py"
"""Sends work of this program's own to processes of its own by `joblib.Parallel`, and reads nothing
of anybody else's."""
UNSAFE_CALLS = {
    *("eval", "exec", "torch.load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"),
    *("yaml.load_all", "pickle.load", "pickle.loads", "pd.read_pickle", "np.core.records"),
}
UNSAFE_FLAGS = {"allow_pickle": False, "trust_remote_code": False, "weights_only": True}
"""Keyword to the only value that it may be given."""

COSTLY = {
    "budget_plan",  # it measures how fast the device is
    *("embedder", "corpus_embeddings", "target_embeddings", "base_checkpoint", "ot_potentials"),
    *("ot_scores", "embedding_scores", "finetuned_checkpoint", "reference_report", "eval_report"),
    *("selector_checkpoint", "tuned_selector", "perplexities", "perplexity_quantiles"),
    *("perplexity_scores", "selector_warm_up", "gradient_store", "target_gradients"),
    "gradient_scores",
}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


LONGEST_FILE = 300
MOST_FILES_OF_A_FOLDER = 25


def test_no_source_file_is_longer_than_a_reader_s_patience():
    lengths = {
        named(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*FLOORS, "benchmarks", "docs", "tests")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_folder_of_the_asset_floor_is_a_heap():
    folders = Counter(str(Path(named(path)).parent) for path in python_files("selection_assets"))
    assert {name: files for name, files in folders.items() if files > MOST_FILES_OF_A_FOLDER} == {}


def test_every_folder_with_code_is_a_package_that_the_linters_see():
    folders = {path.parent for path in python_files(*FLOORS)}
    assert {named(folder) for folder in folders if not (folder / "__init__.py").is_file()} == set()
    ignored = ["git", "check-ignore", *(named(path) for path in python_files(*FLOORS))]
    assert subprocess.run(ignored, cwd=REPOSITORY, stdout=subprocess.PIPE).stdout == b""


@pytest.mark.parametrize("floor", FLOORS)
def test_package_files_are_empty(floor):
    files = [path for path in python_files(floor) if path.name == "__init__.py"]
    full = {named(path) for path in files if path.read_text(encoding="utf-8").strip()}
    assert full - API == set()


def test_dagster_reads_annotations_so_they_are_never_strings():
    found = [
        named(path)
        for path in python_files("resources", "selection_assets", "sensors")
        if "__future__" in imports(path)
    ]
    assert not found


def test_loading_the_definitions_imports_nothing_heavy():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    tidy = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
    heavy = set(tidy["banned-module-level-imports"])
    loaded = run("import sys, sensors.definitions\nprint(*sorted(sys.modules))").split()
    assert "torch" in heavy and "dagster" in loaded
    assert heavy & set(loaded) == set()


def test_no_code_deserialises_or_evaluates_what_it_reads():
    found = []
    for path in python_files(*FLOORS, "benchmarks", "docs", "tests"):
        text = path.read_text(encoding="utf-8")
        allowed = {"joblib"} if named(path) == ENGINE else set()
        assert not allowed or "from joblib import Parallel, delayed\n" in text
        unsafe = UNSAFE_MODULES - allowed
        found += [f"{named(path)}: {m}" for m in imports(path) if m in unsafe]
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            if ast.unparse(node.func) in UNSAFE_CALLS:
                found.append(f"{named(path)}:{node.lineno}: {ast.unparse(node.func)}")
            found += [
                f"{named(path)}:{node.lineno}: {ast.unparse(keyword)}"
                for keyword in node.keywords
                if keyword.arg in UNSAFE_FLAGS
                and ast.unparse(keyword.value) != str(UNSAFE_FLAGS[keyword.arg])
            ]
    assert not found


@pytest.fixture(scope="module")
def assets() -> dict[str, dg.AssetsDefinition]:
    """Every asset of the shipped studies by its key."""
    graph = build_definitions().resolve_asset_graph()
    return {
        key.to_user_string(): graph.get(key).assets_def for key in graph.materializable_asset_keys
    }


def test_every_asset_goes_through_the_store_and_none_through_dagster_s_own_files(assets):
    for name, asset in assets.items():
        # The other outputs are of checks, which store nothing.
        outputs = [asset.node_def.output_def_named(o) for o in asset.node_keys_by_output_name]
        assert {output.io_manager_key for output in outputs} == {"artifacts"}, name


def test_every_asset_has_a_code_version(assets):
    for name, asset in assets.items():
        assert all(spec.code_version for spec in asset.specs), name


def test_every_asset_says_what_it_holds(assets):
    for name, asset in assets.items():
        assert all(spec.description for spec in asset.specs), name


def test_costly_assets_and_no_others_queue_for_the_device(assets):
    queued = {name for name, asset in assets.items() if asset.op.pool == "gpu"}
    quickstart = {name for name in queued if name.startswith(("quickstart/", "docstrings/"))}
    assert {name.rpartition("/")[2] for name in quickstart} == COSTLY
    assert all(asset.op.pool in ("gpu", None) for asset in assets.values())


def test_every_check_blocks(assets):
    for name, asset in assets.items():
        assert all(spec.blocking for spec in asset.check_specs), name
