"""Reports: numbers read well, and no row's text acts as markup or drives a terminal."""

import base64
import html
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.reports.tables import escape, markdown_table, number, picture, text_table

HOSTILE = "<script>alert(1)</script> | `x` *b* [a](javascript:b) ![i](u) http://a.b __init__ a\n# h"


def test_a_script_row_renders_as_text():
    escaped = escape(HOSTILE)
    assert not re.search(r"[<>|`*\[\]!:\"'\n]", escaped)
    assert html.unescape(escaped) == HOSTILE.replace("\n", " ")


@given(st.text())
def test_escaping_is_undone_by_a_browser_but_for_spaces_and_unprintables(text):
    escaped = escape(text)
    assert not re.search(r"[<>|`*\[\]\"\n\r\x1b]", escaped)
    escaped.encode("utf-8")  # no lone surrogate is left
    kept = [c for c in html.unescape(escaped) if not c.isspace() and c != "\ufffd"]
    given_characters = [c for c in text if not c.isspace()]
    assert len(kept) <= len(given_characters)
    assert all(c in given_characters for c in kept)


@given(st.text(alphabet="ab <>&#;|`*_[]()!\\$~^{}=@:\"'.,-+0"))
def test_printable_text_survives_exactly_but_for_runs_of_spaces(text):
    assert html.unescape(escape(text)) == " ".join(text.split())


def test_ordinary_names_and_numbers_are_left_readable():
    assert escape("ag_news 6.2041 (1.2e-5)") == "ag_news 6.2041 (1.2e-5)"


def test_a_leading_list_mark_is_escaped():
    assert escape("- item") == "&#45; item"
    assert escape("---") == "&#45;--"


def test_control_sequences_and_bidirectional_overrides_do_not_reach_the_reader():
    hostile = "\x1b[2Jgone \u202eabc \ud800"
    assert text_table(["t"], [[hostile]]).splitlines()[2] == "\ufffd[2Jgone \ufffdabc \ufffd"
    assert "\x1b" not in escape(hostile)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (270_679, "270,679"),
        (np.int64(12), "12"),
        (4_593_000_000_000_000_000, "4.59e18"),
        (1.23e12, "1.23e12"),
        (6.20412, "6.2041"),
        (np.float32(0.5), "0.5000"),
        (-0.0213, "-0.0213"),
        (412.345, "412.35"),
        (12_345.6, "12,345.60"),
        (0.0, "0"),
        (2.5e-7, "2.50e-7"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_are_written_for_people(value, shown):
    assert number(value) == shown


def test_a_markdown_table_escapes_texts_and_aligns_numbers_right():
    table = markdown_table(["method", "loss"], [["o|t", 6.2], ["random", None]])
    assert table.splitlines() == [
        "| method | loss |",
        "| --- | ---: |",
        "| o&#124;t | 6.2000 |",
        "| random | — |",
    ]


def test_a_text_table_lines_its_columns_up_even_for_wide_characters():
    table = text_table(["name", "rows"], [["日本", 5], ["pool", 1234]])
    assert table.splitlines() == [
        "name   rows",
        "────  ─────",
        "日本      5",
        "pool  1,234",
    ]


@pytest.mark.parametrize("table", [markdown_table, text_table])
def test_a_table_with_a_row_of_another_length_is_refused(table):
    with pytest.raises(ValueError, match=r"row 1 .* has 1 cells for 2 columns \(a, b\)"):
        table(["a", "b"], [[1, 2], [3]])
    with pytest.raises(ValueError, match="at least one column"):
        table([], [])


def test_a_table_without_rows_shows_its_headings():
    assert markdown_table(["a"], []).splitlines() == ["| a |", "| --- |"]
    assert text_table(["ab"], []).splitlines() == ["ab", "──"]


def test_a_picture_carries_its_own_bytes_and_an_escaped_description():
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    found = re.fullmatch(r"!\[(.*)\]\(data:image/png;base64,(.*)\)", picture(png, "a [b] <c>"))
    assert found is not None
    assert base64.b64decode(found[2]) == png
    assert html.unescape(found[1]) == "a [b] <c>"
    with pytest.raises(ValueError, match="is not a PNG"):
        picture(b"GIF89a", "a")
