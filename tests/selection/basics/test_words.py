"""Words of any script; of plain Latin text exactly what they were before other scripts counted."""

# ruff: noqa: RUF001 - letters of other scripts are meant
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.basics import words as module
from selection.basics.words import count_words, terms, tokens, words

CHINESE = "我们喜欢机器学习"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_words_and_punctuation_marks_are_counted() -> None:
    assert count_words("Don't stop, now!") == 7
    assert count_words(" \n ") == 0


@given(st.text(string.printable))
def test_words_of_ascii_text_are_runs_of_its_letters_and_digits(text: str) -> None:
    assert tokens(text) == re.findall(r"\w+|[^\w\s]+", text)
    assert words(text) == re.findall(r"\w+", text)
    assert terms(text) == re.findall(r"(?u)\b\w\w+\b", text)
    assert count_words(text) == len(re.findall(r"\w+|[^\w\s]", text))


def test_what_is_read_the_fast_way_is_read_like_everything_else() -> None:
    """Every character of plain text, alone and in a word, by both ways."""
    plain = [c for c in map(chr, range(0x3000)) if module._NOT_PLAIN.search(c) is None]
    assert len(plain) > 800
    for character in plain:
        for text in (character, character * 2, f"a{character}b", f"a{character} {character}1"):
            other = f"{text} {CHINESE[:2]}"  # which nothing reads the fast way
            assert [*tokens(text), *CHINESE[:2]] == tokens(other), ascii(text)
            assert [*words(text), *CHINESE[:2]] == words(other), ascii(text)
            assert [*terms(text), CHINESE[:2]] == terms(other), ascii(text)
            assert count_words(text) + 2 == count_words(other), ascii(text)


@given(TEXT)
def test_nothing_but_white_space_is_lost_and_counts_agree(text: str) -> None:
    assert "".join(tokens(text)) == re.sub(r"[\s\u200b]", "", text)
    assert set(words(text)) <= set(tokens(text))
    assert count_words(text) >= len(tokens(text)) >= len(words(text))
    assert all(found and not re.search(r"\s", found) for found in terms(text))


@pytest.mark.parametrize(
    ("text", "of_text", "searched_by"),
    [
        (CHINESE, list(CHINESE), ["我们", "们喜", "喜欢", "欢机", "机器", "器学", "学习"]),
        ("Python语言。3月", ["Python", "语", "言", "3", "月"], ["Python", "语言", "月"]),
        ("コーヒーと水", list("コーヒーと水"), ["コー", "ーヒ", "ヒー", "ーと", "と水"]),
        ("ที่นี่ดี", ["ที่", "นี่", "ดี"], ["ที่นี่", "นี่ดี"]),
        # U+200B, which Khmer writes between words
        ("ខ្មែរ\u200bល្អ", ["ខ្មែ", "រ", "ល្អ"], ["ខ្មែរ", "ល្អ"]),
        ("हिन्दी में लिखा", ["हिन्दी", "में", "लिखा"], ["हिन्दी", "में", "लिखा"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"], ["می\u200cخواهم", "بروم"]),
        ("السَّيِّد هنا", ["السَّيِّد", "هنا"], ["السَّيِّد", "هنا"]),
        ("한국어 좋아요", ["한국어", "좋아요"], ["한국어", "좋아요"]),
        ("Привет, мир", ["Привет", "мир"], ["Привет", "мир"]),
    ],
    ids=[
        "Han",
        "mixed",
        "Kana",
        "Thai",
        "Khmer",
        "Hindi",
        "Persian",
        "Arabic",
        "Korean",
        "Russian",
    ],
)
def test_words_of_other_scripts(text: str, of_text: list[str], searched_by: list[str]) -> None:
    assert words(text) == of_text
    assert terms(text) == searched_by


def test_eight_thousand_characters_are_as_many_words() -> None:
    assert count_words(CHINESE * 1000) == 8000
