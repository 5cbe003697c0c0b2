"""The projects that `benchmarks/study.py` writes are ones that `selection` takes."""

import pytest
from benchmark_names import names_of
from places import REPOSITORY

from resources.project import ROOT_VARIABLE
from selection_assets.studies import read_configuration

DATA = REPOSITORY.parent / "shared/data"


@pytest.fixture(scope="module")
def benchmark() -> dict:
    return names_of("study")


@pytest.mark.skipif(not DATA.is_dir(), reason="the data beside the checkout are absent")
@pytest.mark.parametrize("scale", ["small", "tuned", "medium"])
def test_every_study_of_a_scale_can_be_run(benchmark, scale, tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    wanted = benchmark["SCALES"][scale]
    benchmark["write_project"](tmp_path, wanted)
    found = read_configuration()
    assert found.wrong == {}
    assert set(found.studies) == set(wanted.studies)
