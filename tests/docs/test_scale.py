"""The page's tables are those of the figures that the benchmark has written."""

import json

import pytest

from docs.scale import MEASURED, PAGE, Line, parts, written


def test_the_page_has_the_figures_that_were_measured():
    page = PAGE.read_text("utf-8")
    assert written(page, json.loads(MEASURED.read_text("utf-8"))) == page


def test_a_line_goes_through_both_sizes_and_does_not_fall():
    line = Line.through((20.0, 3.0), (200.0, 12.0))
    assert line.at(20) == pytest.approx(3) and line.at(200) == pytest.approx(12)
    assert Line.through((20.0, 3.0), (200.0, 2.0)) == Line(2.0, 0.0)


def test_stages_in_blocks_alone_get_faster_with_more_processors():
    figures = {
        **{f"{kind}_{size}": 1.0 for kind in ("seconds", "peak_gb", "disk_gb") for size in SIZES},
        **{
            f"seconds_corpus_embeddings_{size}": n
            for size, n in zip(SIZES, (2e4, 2e5), strict=True)
        },
        "time_exponent": 1.0,
        "memory_exponent": 0.0,
    }
    blocks = parts({"device": "none", "figures": figures})["foreseen"]
    serial = {
        name.replace("corpus_embeddings", "selected_subset"): n for name, n in figures.items()
    }
    alone = parts({"device": "none", "figures": serial})["foreseen"]
    # A second a row, on the two processors that were measured: 10^7 rows take 2,778 hours.
    assert "2777.8" in blocks and "347.2" in blocks and "3.5" in blocks
    assert alone.count("2777.8") == 3


SIZES = ("20k", "200k")
