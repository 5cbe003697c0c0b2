"""Docstrings of installed packages as text."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import REPOSITORY

from selection.corpus.docstrings import package_files, read_docstrings
from selection.corpus.prose import description, passages
from selection.corpus.records import BadRecord, Record

NUMPYDOC = """Return the *mean* of an :class:`~numpy.ndarray` along an axis.

The mean is taken over the flattened array by default, see
`the guide <https://example.org>`_ and ``numpy.sum``.

.. versionadded:: 1.7
    Not prose at all.

An example follows::

    code = "not prose"

- a list item
  that goes on

It ends here.

Parameters
----------
a : array
    Not prose.
"""


def test_the_description_is_the_prose_before_the_first_section() -> None:
    assert description(NUMPYDOC) == [
        "Return the *mean* of an numpy.ndarray along an axis.",
        "The mean is taken over the flattened array by default, see the guide and numpy.sum.",
        "An example follows:",
        "It ends here.",
    ]


def test_a_wrapped_line_is_not_taken_for_a_list_item() -> None:
    assert description(
        "This is what\nit is. Then a self-\nexplaining line.\n1. a list\n   of one"
    ) == ["This is what it is. Then a self-explaining line."]


@pytest.mark.parametrize(
    "section",
    [
        "Args:\n    x: no",
        ":param x: no",
        "Returns\n-------\nno",
        ">>> no()",
        "Examples::\n\n    no",
    ],
)
def test_every_style_of_section_ends_the_description(section: str) -> None:
    assert description(f"Only this is prose.\n\n{section}\n\nNo more.") == ["Only this is prose."]


words = st.text("abcdefgh", min_size=1, max_size=5)
prose = st.lists(st.lists(words, min_size=1, max_size=40).map(" ".join), max_size=8)


@given(prose, st.integers(1, 6), st.integers(6, 20))
def test_passages_keep_to_their_bounds_and_to_the_order(
    paragraphs: list[str], min_words: int, max_words: int
) -> None:
    found = list(passages(paragraphs, min_words=min_words, max_words=max_words))
    assert all(min_words <= len(passage.split()) <= max_words for passage in found)
    everything = list(passages(paragraphs, min_words=1, max_words=max_words))
    assert " ".join(everything).split() == " ".join(paragraphs).split()
    assert [passage for passage in everything if len(passage.split()) >= min_words] == found


def test_long_prose_is_cut_between_sentences() -> None:
    text = ["One two three four. Five six seven. Eight nine ten eleven twelve."]
    found = list(passages(text, min_words=1, max_words=7))
    assert found == ["One two three four. Five six seven.", "Eight nine ten eleven twelve."]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a package that must not be imported."""
    root = tmp_path / "undisturbed"
    (root / "tests").mkdir(parents=True)
    (root / "sub").mkdir()
    prose = "This sentence has clearly more than eight words in it, says"
    (root / "__init__.py").write_text(f'"""{prose} the package."""\nraise SystemExit\n')
    (root / "sub" / "deep.py").write_text(
        f'class A:\n    """{prose} A."""\n    def m(self):\n        """{prose} m."""\n'
        f'        def inner():\n            """{prose} inner."""\n'
        f'if True:\n    async def f():\n        """{prose} f."""\n'
        'def short():\n    """Too short."""\n'
    )
    (root / "broken.py").write_text("def f(:\n")
    (root / "nul.py").write_bytes(b"x = 1\0\n")
    (root / "odd.py").write_text(f'def s():\n    "{prose} \\ud800 s."\n')
    (root / "tests" / "t.py").write_text(f'"""{prose} a test."""\n')
    (root / "test_x.py").write_text(f'"""{prose} a test."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    return "undisturbed"


def test_a_package_is_read_in_order_without_running_it(package: str) -> None:
    records = list(read_docstrings(package))
    assert [record.origin for record in records] == [
        "undisturbed:<module>",
        "undisturbed.broken:1",
        "undisturbed.nul:0",
        "undisturbed.odd:s",
        "undisturbed.sub.deep:A",
        "undisturbed.sub.deep:A.m",
        "undisturbed.sub.deep:A.m.<locals>.inner",
        "undisturbed.sub.deep:f",
    ]
    bad = [record.kind for record in records if isinstance(record, BadRecord)]
    assert bad == ["not Python", "not Python", "lone surrogate"]
    assert package not in sys.modules
    deep = list(read_docstrings("undisturbed.sub.deep"))
    assert deep == records[4:]


@pytest.mark.parametrize(
    "around",
    [
        "try:\n    pass\nexcept ValueError:\n    {}\nelse:\n    pass",
        "try:\n    pass\nfinally:\n    {}",
        "if x:\n    pass\nelif y:\n    {}",
        "for x in y:\n    pass\nelse:\n    {}",
        "while x:\n    {}",
        "with x as y:\n    {}",
        "match x:\n    case 1:\n        {}",
    ],
)
def test_what_is_defined_within_a_statement_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    prose = "This sentence has clearly more than eight words in it."
    (tmp_path / "conditional.py").write_text(around.format(f'def f(): "{prose}"'))
    assert [record.origin for record in read_docstrings("conditional")] == ["conditional:f"]


@pytest.mark.parametrize("package", ["numpy", "ot", "sklearn", "yaml", "pyarrow"])
def test_a_licence_is_that_of_the_distribution_that_has_the_package(package: str) -> None:
    [distribution, *_] = importlib.metadata.packages_distributions()[package]
    fields = importlib.metadata.metadata(distribution)
    declared = {*fields.values(), *(value.rpartition(" :: ")[2] for value in fields.values())}
    found = next(record for record in read_docstrings(package) if isinstance(record, Record))
    assert found.licence in declared


def test_the_files_of_a_package_are_those_that_are_read(package: str) -> None:
    names = [path.name for path in package_files(package)]
    assert names == ["__init__.py", "broken.py", "nul.py", "odd.py", "deep.py"]


def test_the_later_passages_of_a_docstring_are_numbered(package: str) -> None:
    origins = [r.origin for r in read_docstrings("undisturbed.sub", min_words=1, max_words=9)]
    assert origins[:2] == ["undisturbed.sub.deep:A", "undisturbed.sub.deep:A#2"]


def test_the_standard_library_has_prose_under_its_licence() -> None:
    records = list(read_docstrings("argparse"))
    assert len(records) >= 10
    assert all(isinstance(r, Record) and r.licence == "PSF-2.0" for r in records)
    assert all(8 <= len(r.text.split()) <= 120 for r in records if isinstance(r, Record))


def test_an_installed_package_is_located_without_being_imported() -> None:
    script = (
        "import sys\nfrom selection.corpus.docstrings import read_docstrings\n"
        "n = sum(1 for _ in read_docstrings('hypothesis.strategies'))\n"
        "assert n > 10, n\nassert 'hypothesis' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package_at_all", "not installed"),
        ("not-a-name", "not installed"),
        ("argparse.absent", "no Python source"),
        ("sys", "no Python source"),
    ],
)
def test_a_package_that_cannot_be_read_is_a_clear_error(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_docstrings(name)
    with pytest.raises(ValueError, match="min_words"):
        read_docstrings("argparse", min_words=9, max_words=8)
