"""The page of promises names tests that are there, and says what they counted."""

import re

import pytest
from places import REPOSITORY

from docs.promises import ROW, filled

PAGE = (REPOSITORY / "docs" / "promises.md").read_text()
FOUND = {"figures": {"kills_survived": 1212}, "date": "today", "device": "CPU", "versions": {}}


def test_every_promise_and_reference_names_a_test_that_exists():
    rows = [row.group() for row in ROW.finditer(PAGE)]
    named = [path for row in rows for path in re.findall(r"tests/\S+\.py", row)]
    assert len(named) == len(rows) > 15
    assert [path for path in named if not (REPOSITORY / path).is_file()] == []


def test_a_promise_shows_its_figures_in_plain_words_and_the_place_they_are_of():
    text = filled(PAGE, {"P2": FOUND})
    assert "| kills survived: 1,212 |" in text
    assert "- P2: today, CPU, ." in text
    assert text.count("no figures yet") == len(ROW.findall(PAGE)) - 1


def test_filling_again_leaves_nothing_of_the_figures_before():
    once = filled(PAGE, {"P2": FOUND})
    assert filled(once, {"P2": FOUND}) == once
    assert filled(once, {}) == filled(PAGE, {}) != once


def test_figures_of_a_promise_that_the_page_does_not_name_are_refused():
    with pytest.raises(ValueError, match="no row for P99"):
        filled(PAGE, {"P99": FOUND})
