"""What differs in case, punctuation, spaces and unseen characters only has the same words."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.basics.words import words
from selection.leaks.windows import Windows
from selection.leaks.words import WORD, WORD_BYTES, cut_later, weights_of, words_of


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
    heavy_W = Windows([cut_later("我在GPU上ภาษา")]).heavy_W
    assert np.diff(heavy_W).tolist() == [2, 2, WORD, 2, 1, 1, 1, 1]


def test_scripts_without_spaces_are_those_of_all_other_words():
    """Every letter that is no other one's compatible form, twice in a row."""
    letters = [
        letter
        for letter in map(chr, range(0x20000))
        if unicodedata.category(letter) == "Lo" and words_of(letter) == [letter]
    ]
    alone = {letter for letter in letters if words(letter * 2) == [letter, letter]}
    assert len(alone) > 25_000 and {"我", "の", "ภ", "ၵ", "ᥐ", "ꪀ"} <= alone
    assert {letter for letter in letters if words_of(letter * 2) == [letter, letter]} == alone
    weights = weights_of(np.array([ord(letter) for letter in letters]))
    assert {letter for letter, weight in zip(letters, weights, strict=True) if weight < WORD} == (
        alone
    )


def test_a_mark_over_a_latin_letter_parts_no_word():
    """These two stand over Kana as well."""
    assert words_of("q\u0323ab o\u0305r") == ["q\u0323ab", "o\u0305r"]
    assert words_of("๑๒๓ บาท") == ["๑๒๓", "บ", "า", "ท"]


PARTS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "Z", "S", "M"]), max_size=30
)


@given(PARTS)
def test_the_words_of_a_text_are_those_of_its_words(text):
    words = words_of(text)
    assert words_of(" ".join(words)) == words or not "".join(words).isascii()


@given(PARTS | st.text(st.characters(max_codepoint=127)) | st.text("aB é\u0301\u200b 在\n¨\u00a0"))
def test_bytes_are_cut_into_the_same_words(text):
    bytes_B = np.frombuffer(cut_later(text).translate(WORD_BYTES), dtype=np.uint8)
    assert bytes(bytes_B).replace(b"\0", b" ").decode().split() == words_of(text)


@given(st.lists(PARTS | st.text("ab 在ภ\U00020000", max_size=4), max_size=6))
def test_texts_laid_end_to_end_keep_their_words_and_their_hashes(texts):
    words = [words_of(text) for text in texts]
    windows = Windows([cut_later(text) for text in texts])
    ends = np.cumsum([len(of_text) for of_text in words])
    assert windows.ends_T.tolist() == ends.tolist()
    assert windows.text_W.tolist() == [t for t, of in enumerate(words) for _ in of]
    flat = [word for of_text in words for word in of_text]
    each = windows.hashed(np.arange(len(flat)), np.arange(len(flat)) + 1)
    assert len(set(each.tolist())) == len(set(flat))
    joined = {
        hash_: "".join(of) for hash_, of in zip(windows.joined_T.tolist(), words, strict=True)
    }
    assert all(
        joined[h] == "".join(of) for h, of in zip(windows.joined_T.tolist(), words, strict=True)
    )
    assert len(joined) == len({"".join(of) for of in words})


@given(st.lists(st.text("abcXYZ019éßñçĄ", min_size=1, max_size=8), min_size=1), st.data())
def test_case_punctuation_and_spaces_between_words_change_nothing(words, data):
    between = st.text(" \n\t.,;:!?()\"'-—…\u200b\u00a0", min_size=0, max_size=3)
    written = ""
    for word in words:
        cased = word.upper() if data.draw(st.booleans()) else word.lower()
        written += cased + data.draw(between) + " "
    assert "".join(words_of(written)) == "".join(words_of(" ".join(words)))
