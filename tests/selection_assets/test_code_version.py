"""A version of code changes with what the code does, and with nothing else."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from places import REPOSITORY

from selection.basics.draws import keyed_uniform
from selection_assets.stage.code_version import FOLLOWED, PLUMBING, UNCOUNTED, code_version
from selection_assets.stage.module_definitions import CONFIGURATION

CODE = '''
"""A docstring."""

import math
from {package}.constants import FACTOR

LIMIT = 10
"""The text of a constant."""


def double(x):
    """Another."""
    return min(FACTOR * x, LIMIT)  # a comment


def unused(x):
    return math.sqrt(x)
'''


def version_in(folder: Path, package: str, code: str = CODE, factor: str = "FACTOR = 2\n") -> str:
    """Version of `double` in a package of two modules."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    (folder / package / "constants.py").write_text(factor)
    (folder / package / "doubling.py").write_text(code.format(package=package))
    importlib.invalidate_caches()
    return code_version([importlib.import_module(f"{package}.doubling").double], {})


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("# a comment", "# a better comment", True),
        ('"""Another."""', '"""Rewritten."""', True),
        ('    """Another."""\n', "", True),
        ('"""The text of a constant."""', '"""Another text."""', True),
        ("FACTOR * x", "(FACTOR  *  x)", True),
        ("import math\n", "import math as math\nimport json\n", True),
        ("math.sqrt(x)", "math.cos(x)", True),  # of a function that nothing here calls
        ("FACTOR * x", "FACTOR + x", False),
        ("LIMIT = 10", "LIMIT = 11", False),
        ("(x):", "(x, y=1):", False),
        ("FACTOR * x", "'text'", False),
    ],
)
def test_it_follows_behaviour_and_not_prose(tmp_path, monkeypatch, request, before, after, same):
    monkeypatch.syspath_prepend(tmp_path)
    number = request.node.callspec.id.encode().hex()
    assert CODE.replace(before, after) != CODE
    one = version_in(tmp_path, f"one_{number}")
    two = version_in(tmp_path, f"two_{number}", CODE.replace(before, after))
    assert (one == two) == same


def test_it_covers_what_is_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    versions = [
        version_in(tmp_path, "of_two"),
        version_in(tmp_path, "of_three", factor="FACTOR = 3\n"),
        version_in(tmp_path, "of_two_again", factor="FACTOR = 2  # still\nOTHER = 5\n"),
    ]
    assert versions[0] == versions[2] != versions[1]


def test_it_covers_what_a_module_does_when_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    silent = version_in(tmp_path, "silent")
    assert version_in(tmp_path, "effective", CODE + "math.frexp(2.0)\n") != silent


def test_it_covers_every_parameter_and_refuses_what_has_no_stable_form():
    def version(**parameters: object) -> str:
        return code_version([keyed_uniform], parameters)

    assert version(a=1, b=2) == version(b=2, a=1)
    assert len({version(), version(a=1), version(a=2), version(a=1.5), version(b=1)}) == 5
    with pytest.raises(TypeError, match="set has no stable form"):
        version(a={1})
    with pytest.raises(ValueError, match="no file of the module"):
        code_version([len], {})


@pytest.mark.parametrize("name", [*FOLLOWED, *PLUMBING, *UNCOUNTED, CONFIGURATION])
def test_every_module_that_it_names_is_real(name):
    assert find_spec(name) is not None


VERSIONS = """
import json
from selection_assets.graph import all_stages
print(json.dumps({s.name: s.code_version for s in all_stages()}))
"""


def versions_in(checkout: Path) -> dict[str, str]:
    """Code version of every asset of a checkout's studies."""
    variables = {k: v for k, v in os.environ.items() if k not in ("SELECTION_ROOT", "PYTHONPATH")}
    command = [sys.executable, "-c", VERSIONS]
    done = subprocess.run(
        command, cwd=checkout, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


HELPED = [
    ("seed=seed, precision", "seed=_drawn(seed), precision"),
    ("class TinyBase", "def _drawn(seed: int) -> int:\n    return seed\n\n\nclass TinyBase"),
]
"""A method of a configuration calls a function beside it."""


def copied(copy: Path) -> Path:
    """Copy what the shipped studies' versions are taken from, with a helper of a configuration."""
    for folder in ("selection", "resources", "selection_assets", "studies"):
        shutil.copytree(REPOSITORY / folder, copy / folder)  # compiled as they are
    shutil.copy(REPOSITORY / "project.yaml", copy)
    return edited(copy, {"decoders": HELPED})


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> dict[str, str]:
    return versions_in(copied(tmp_path_factory.mktemp("before") / "copy"))


def test_a_module_that_is_renamed_or_moved_makes_nothing_stale(tmp_path, before):
    """Of the shipped studies: what every arm's draws go through, a method's helper, an asset."""
    copy = copied(tmp_path / "copy")
    moves = {
        "selection.basics.draws": "selection.arms.keyed_draws",
        "selection.methods.bm25.index": "selection.methods.bm25.inverted_index",
        "selection_assets.assets.raw_corpus": "selection_assets.shared.rows_of_sources",
    }
    for old, new in moves.items():
        at, to = (copy / f"{name.replace('.', '/')}.py" for name in (old, new))
        at.rename(to)
        for file in copy.rglob("*.py"):
            text = file.read_text()
            if old in text:
                file.write_text(text.replace(old, new))
    assert versions_in(copy) == before
    assert len(before) > 100
    # The same copy does notice a change of what the code does.
    draws = copy / "selection/arms/keyed_draws.py"
    draws.write_text(draws.read_text().replace("digest_size=8", "digest_size=9"))
    assert versions_in(copy) != before


def edited(copy: Path, changes: dict[str, list[tuple[str, str]]]) -> Path:
    """Make changes in modules of the configuration: (old text, new text)."""
    for name, texts in changes.items():
        file = copy / f"selection/config/{name}.py"
        for old, new in texts:
            text = file.read_text()
            assert text.count(old) == 1, old
            file.write_text(text.replace(old, new))
    return copy


def stale_in(copy: Path, before: dict[str, str]) -> set[str]:
    """Names, without study or pool, of the assets whose version is another one."""
    after = versions_in(copy)
    assert after.keys() == before.keys()
    return {name.rsplit("/")[-1] for name in after if after[name] != before[name]}


@pytest.mark.parametrize(
    ("module", "old", "new", "stale", "current"),
    [
        pytest.param(
            "decoders",
            "seed=_drawn(seed), precision",
            "seed=_drawn(seed) + 1, precision",
            {"base_checkpoint", "finetuned_checkpoint", "reference_report", "budget_plan"},
            {"raw_corpus", "corpus_embeddings", "target_examples", "selected_subset"},
            marks=pytest.mark.slow,
        ),
        (
            "budgets",
            "return self.share * epoch_flops",
            "return self.share * epoch_flops * 2",
            {"budget_plan"},
            {"raw_corpus", "corpus_embeddings", "selected_subset", "finetuned_checkpoint"},
        ),
        pytest.param(
            "pool",
            "for field, column in self if column is not None}",
            'for field, column in self if column not in (None, "label")}',
            {"raw_corpus", "target_examples"},
            {"budget_plan", "corpus_embeddings", "selected_subset", "finetuned_checkpoint"},
            marks=pytest.mark.slow,
        ),
        (  # a constant that code names counts like any other
            "pool",
            "DEFAULT_COLUMNS = ColumnNames()",
            'DEFAULT_COLUMNS = ColumnNames(text="text")',
            {"raw_corpus", "target_examples"},
            {"budget_plan", "corpus_embeddings", "selected_subset", "finetuned_checkpoint"},
        ),
    ],
)
def test_what_a_configuration_does_counts_where_it_is_used(
    tmp_path, before, module, old, new, stale, current
):
    """Though the code that uses it names no more than the study whose field it is."""
    copy = edited(copied(tmp_path / "copy"), {module: [(old, new)]})
    found = stale_in(copy, before)
    assert stale <= found
    assert not current & found


def test_what_a_configuration_does_counts_with_all_that_it_names(tmp_path, before):
    changes = {"decoders": [("    return seed\n", "    return seed + 1\n")]}
    found = stale_in(edited(copied(tmp_path / "copy"), changes), before)
    assert {"base_checkpoint", "finetuned_checkpoint", "budget_plan"} <= found
    assert not {"raw_corpus", "corpus_embeddings", "selected_subset"} & found


def test_a_special_method_of_a_configuration_counts_wherever_one_is_named(tmp_path, before):
    special = "class Budget(Strict):\n    def __len__(self) -> int:\n        return 1\n"
    copy = edited(copied(tmp_path / "copy"), {"budgets": [("class Budget(Strict):\n", special)]})
    assert {"raw_corpus", "selected_subset"} <= stale_in(copy, before)


def test_a_new_field_validator_or_unused_method_of_a_configuration_makes_nothing_stale(
    tmp_path, before
):
    added = """
    @model_validator(mode="after")
    def _is_sane(self) -> "Study":
        assert _sane(self)
        return self

    def unused(self) -> int:
        return 1

    @model_validator(mode="after")
    def _cap_has_a_price("""
    refusing = "def _sane(_: object) -> bool:\n    return True\n\n\ndef _named("
    changes = {
        "study": [
            ("    shared_by: int", '    remark: Name = "none"\n    shared_by: int'),
            ('    @model_validator(mode="after")\n    def _cap_has_a_price(', added),
            ("def _named(", refusing),
            ("if len(set(keys)) < len(keys):", "if len(keys) > len(set(keys)):"),
        ],
        "names": [("Revision = Annotated[str, ", "Revision = Annotated[str, 1, ")],
    }
    assert stale_in(edited(copied(tmp_path / "copy"), changes), before) == set()
