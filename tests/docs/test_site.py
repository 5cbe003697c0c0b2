"""The documentation's site, built as `make docs` builds it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY

from selection.methods import REGISTRY

FLOORS = ("selection", "resources", "selection_assets", "sensors")
FETCHED = re.compile(r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//|<link[^>]* href="https?:')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's folder; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict"]
    done = subprocess.run(
        [*command, "--site-dir", folder],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0 and "WARNING" not in done.stdout, done.stdout
    return folder


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if FETCHED.search(page.read_text())] == []


def test_every_method_and_every_one_of_its_options_has_its_place(site):
    page = (site / "methods.html").read_text()
    for name, method in REGISTRY.items():
        assert f'id="{name}"' in page
        assert all(f"<code>{option}</code>" in page for option in method.options.model_fields)


def test_the_public_names_are_in_the_reference(site):
    transport = (site / "reference/transport.html").read_text()
    assert 'id="selection.transport.potentials.solve_potentials"' in transport
    costs = (site / "reference/costs.html").read_text()
    assert 'id="selection.costs.flops.training_flops"' in costs


def test_no_code_and_no_figures_are_published(site):
    published = {p.suffix for p in site.rglob("*") if p.is_file() and "assets" not in p.parts}
    assert published <= {".html", ".png", ".svg", ".json", ".xml", ".gz", ".inv", ".js", ".css"}
    assert not list(site.rglob("promises.json"))


def test_the_page_of_the_architecture_names_every_folder():
    """And every file of the asset floor's and the resources' own."""
    page = (REPOSITORY / "docs/architecture.md").read_text()
    for floor in FLOORS:
        names = {p.parent.name for p in (REPOSITORY / floor).glob("*/__init__.py")}
        if floor in ("resources", "selection_assets"):
            names |= {p.stem for p in (REPOSITORY / floor).glob("*.py")} - {"__init__"}
        assert {n for n in names if f"`{n}/`" not in page and f"`{n}.py`" not in page} == set()
