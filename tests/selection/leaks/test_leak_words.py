"""What differs in case, punctuation, spaces and unseen characters only has the same words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.leaks.words import WORD, weights_of, words_of


@pytest.mark.parametrize(
    "other",
    [
        "the cat sat on the mat",
        "THE CAT SAT ON THE MAT!",
        "The\u00a0cat  sat\n on the mat .",
        "The c\u200bat s\u00adat on the\ufeff mat.",
        "“The cat” (sat) — on the mat…",
        "\uff34\uff48\uff45 cat sat on the mat",
    ],
)
def test_a_text_written_another_way_has_the_same_words(other):
    assert words_of(other) == ["the", "cat", "sat", "on", "the", "mat"]


def test_compatible_forms_and_folded_cases_are_one():
    assert words_of("Straße ﬁne x² Éa") == words_of("STRASSE FINE X2 E\u0301A")


def test_other_letters_are_other_words():
    assert words_of("cafe") != words_of("café")
    assert words_of("किताब") != words_of("कताब")


def test_marks_stay_within_their_word():
    assert words_of("हिन्दी में") == ["हिन्दी", "में"]


def test_a_script_without_spaces_has_a_word_a_character_and_lighter_ones():
    words = words_of("我在GPU上ภาษา")
    assert words == [*"我在", "gpu", "上", *"ภาษา"]
    assert weights_of(words).tolist() == [2, 2, WORD, 2, 1, 1, 1, 1]


PARTS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "Z", "S", "M"]), max_size=30
)


@given(PARTS)
def test_the_words_of_a_text_are_those_of_its_words(text):
    words = words_of(text)
    assert words_of(" ".join(words)) == words or not "".join(words).isascii()


@given(st.lists(st.text("abcXYZ019éßñçĄ", min_size=1, max_size=8), min_size=1), st.data())
def test_case_punctuation_and_spaces_between_words_change_nothing(words, data):
    between = st.text(" \n\t.,;:!?()\"'-—…\u200b\u00a0", min_size=0, max_size=3)
    written = ""
    for word in words:
        cased = word.upper() if data.draw(st.booleans()) else word.lower()
        written += cased + data.draw(between) + " "
    assert "".join(words_of(written)) == "".join(words_of(" ".join(words)))
