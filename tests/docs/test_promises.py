"""The page of promises names tests that are there, and says what they counted."""

from places import REPOSITORY

from docs.promises import PROMISES, REFERENCES, page


def test_every_promise_and_reference_names_a_test_that_exists():
    named = {path for _, path in (PROMISES | REFERENCES).values()}
    assert [path for path in named if not (REPOSITORY / "tests" / path).is_file()] == []


def test_a_promise_shows_its_figures_in_plain_words_and_the_place_they_are_of():
    found = {"figures": {"kills_survived": 1212}, "date": "today", "device": "CPU", "versions": {}}
    text = page({"P2": found})
    assert "kills survived: 1,212" in text
    assert "- P2: today, CPU, ." in text
    assert text.count("no figures yet") == len(PROMISES | REFERENCES) - 1
