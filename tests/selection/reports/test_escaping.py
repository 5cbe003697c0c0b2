"""No row's text acts as markup in a browser, becomes a link or drives a terminal."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from selection.reports.escaping import escape, one_line
from selection.reports.tables import markdown_table

HOSTILE = "<script>alert(1)</script> | `x` *b* [a](javascript:b) ![i](u) http://a.b __init__ a\n# h"
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WORD_JOINER = "\u2060"
TEXTS = st.text(alphabet="abw1 <>&#;|`*_[]()!\\$~^{}=@:\"'.,-+/\nt") | st.text()
# The specification of GitHub's Markdown, section 6.9, and what its renderers look for.
ADDRESS = re.compile(r"(https?|ftp)://|www\.|[-.\w+]@[-\w]", re.IGNORECASE)


def shown(tokens: list[Token]) -> list[str]:
    """What a reader sees of each block, spaces folded; anything but plain text is an error."""
    found = []
    for inline in (token.children or [] for token in tokens if token.type == "inline"):
        assert {part.type for part in inline} <= {"text"}
        found.append(as_read("".join(part.content for part in inline)))
    return found


def as_read(text: str) -> str:
    return " ".join(one_line(text).replace(WORD_JOINER, "").split())


def test_a_script_row_renders_as_text():
    escaped = escape(HOSTILE)
    assert not re.search(r"<[a-z/]|[|`\[\]\n]", escaped)
    assert as_read(html.unescape(escaped)) == as_read(HOSTILE)
    assert shown(RENDERER.parse(escaped)) == [as_read(HOSTILE)]


@given(TEXTS, TEXTS)
def test_texts_in_a_paragraph_are_read_as_they_are_whatever_stands_beside_them(one, other):
    for around in ("{}", "{} {}", "Made by {}, {}; so"):
        tokens = RENDERER.parse(around.format(escape(one), escape(other)))
        assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
        assert "".join(shown(tokens)) == as_read(around.format(as_read(one), as_read(other)))


@given(TEXTS, TEXTS)
def test_texts_in_a_table_stay_in_their_cells_as_they_are(heading, text):
    tokens = RENDERER.parse(markdown_table(["a", heading], [[text, 1], ["b", None]]))
    assert tokens[0].type == "table_open" and tokens[-1].type == "table_close"
    assert shown(tokens) == ["a", as_read(heading), as_read(text), "1", "b", "—"]


@given(TEXTS, TEXTS)
def test_a_browser_reads_html_with_the_text_as_it_is(one, other):
    assert as_read(html.unescape(f"{escape(one)} {escape(other)}")) == as_read(f"{one} {other}")
    escape(one).encode("utf-8")  # no lone surrogate is left


@given(st.text(alphabet="htpsfwW:/.@ab-_ "))
def test_no_address_that_nobody_marked_becomes_a_link(text):
    assert not ADDRESS.search(html.unescape(escape(text)))


def test_an_address_is_broken_where_it_would_be_linked_and_nowhere_else():
    assert escape("see http://a.b/c") == "see http:&#8288;//a.b/c"
    assert escape("WWW.a.b or c@d.e") == "WWW&#8288;.a.b or c@&#8288;d.e"


@pytest.mark.parametrize(
    "text",
    [
        "ag_news 6.2041 (1.2e-5)",
        "Atomic visibility: the old version or the new one",
        'each target\'s own "share"!',
        "never*",
        "a * b, x < 5, -> c & d, 12:30:45",
        "-0.5 to +0.3",
        r"C:\new\table",
    ],
)
def test_ordinary_text_is_left_readable(text):
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("- item", "&#45; item"),
        ("---", "&#45;--"),
        ("* item", "&#42; item"),
        ("1. item", "1&#46; item"),
        ("# title", "&#35; title"),
        ("===", "&#61;=="),
        ("> said", "&#62; said"),
        (": meaning", "&#58; meaning"),
    ],
)
def test_what_would_start_a_block_is_escaped_at_the_beginning_of_a_line_only(text, escaped):
    assert escape(text) == escaped
    assert escape(f"so {text}") == f"so {text}"


def test_control_sequences_and_bidirectional_overrides_do_not_reach_the_reader():
    hostile = "\x1b[2Jgone \u202eabc \ud800"
    assert one_line(hostile) == "\ufffd[2Jgone \ufffdabc \ufffd"
    assert "\x1b" not in escape(hostile)
