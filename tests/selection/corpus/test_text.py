"""Row identity: which texts are the same row."""

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.basics.text import normalise, row_id, text_fault

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(texts)
def test_white_space_and_composition_do_not_change_the_row_id(text: str) -> None:
    spaced = "\t " + unicodedata.normalize("NFD", text).replace(" ", " \r\n ") + "\n"
    assert row_id(spaced) == row_id(text)


def test_the_row_id_is_blake2b_of_the_normalised_text() -> None:
    expected = hashlib.blake2b("caf\u00e9 au lait".encode(), digest_size=16).hexdigest()
    assert row_id("  cafe\u0301\n au   lait ") == expected
    assert len(expected) == 32
    assert row_id("Caf\u00e9 au lait") != expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fine", None),
        ("", "empty text"),
        (" \t\u2003\n", "empty text"),
        ("a\0b", "NUL character"),
        ("a\ud800b", "lone surrogate"),
    ],
)
def test_an_unusable_text_is_told_by_its_fault(text: str, fault: str | None) -> None:
    assert text_fault(text) == fault
