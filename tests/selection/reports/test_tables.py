"""Tables line up, and say what is wrong with their rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from selection.reports.tables import markdown_table, text_table


def test_a_markdown_table_escapes_texts_and_aligns_numbers_right():
    table = markdown_table(["method", "loss"], [["o|t", 6.2], ["random", None]])
    assert table.splitlines() == [
        "| method   |   loss |",
        "|:---------|-------:|",
        "| o&#124;t | 6.2000 |",
        "| random   |      — |",
    ]


def test_a_text_table_lines_its_columns_up_even_for_wide_characters():
    table = text_table(["name", "rows"], [["日本", 5], ["pool", 1234]])
    assert table.splitlines() == [
        "name   rows",
        "────  ─────",
        "日本      5",
        "pool  1,234",
    ]


@given(st.lists(st.tuples(st.text(), st.integers()), min_size=1))
def test_a_text_table_is_as_wide_in_every_line_whatever_its_texts(rows):
    lines = text_table(["text", "number"], rows).split("\n")
    assert len(lines) == len(rows) + 2
    assert len({wcswidth(line) for line in lines}) == 1


def test_texts_that_look_like_numbers_or_rules_are_shown_as_they_are():
    rows = [["1.50", "007"], ["\x01", "---"], ["1e3", "None"]]
    assert text_table(["a", "b"], rows).splitlines() == [
        "a     b",
        "────  ────",
        "1.50  007",
        "\ufffd     ---",
        "1e3   None",
    ]


def test_control_sequences_do_not_reach_the_terminal():
    table = text_table(["t"], [["\x1b[2Jgone \u202eabc \ud800"]])
    assert table.splitlines()[2] == "\ufffd[2Jgone \ufffdabc \ufffd"


@pytest.mark.parametrize("table", [markdown_table, text_table])
def test_a_table_with_a_row_of_another_length_is_refused(table):
    with pytest.raises(ValueError, match=r"row 1 .* has 1 cells for 2 columns \(a, b\)"):
        table(["a", "b"], [[1, 2], [3]])
    with pytest.raises(ValueError, match="at least one column"):
        table([], [])


def test_a_table_without_rows_shows_its_headings():
    assert markdown_table(["a", "b"], []).splitlines()[0].split() == ["|", "a", "|", "b", "|"]
    assert len(markdown_table(["a", "b"], []).splitlines()) == 2
    assert text_table(["ab"], []).splitlines() == ["ab", "──"]
