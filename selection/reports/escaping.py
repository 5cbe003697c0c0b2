"""How does a stranger's text stay text, in Markdown, in HTML and in a terminal?

Rows of a corpus are written by strangers, so nothing they contain may act as markup in a browser
or as a control sequence in a terminal.
"""

from __future__ import annotations

import re

from selection.basics.text import UNPRINTABLE

# What has a meaning in Markdown or HTML where it stands inside a line. Of emphasis it is enough to
# take the marks that could begin it: one that can only end it, as in `never*`, ends nothing.
_MARKUP = re.compile(
    r"""
    [`\[\]|${]                  # code, links, cells; GitHub's mathematics, Python's attributes
    | \\(?![A-Za-z0-9\s])       # an escape of the next character
    | <(?![\s0-9=])             # a tag
    | &(?=\#?[A-Za-z0-9]+(;|$)) # an entity
    | [*~](?=\S) | (?<![A-Za-z0-9\s])[*~] | (?<=\s)[*~]$
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])
    """,
    re.VERBOSE,
)
# What starts a block when a line begins with it: lists, headings, rules, quotations, definitions.
_LEADING = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[#=:>]|[-+](?:[\s-]|$)))(.)")
# Where GitHub's Markdown makes a link of an address that nobody marked as one. Some renderers
# look for addresses in the finished text, entities resolved: only a character between helps.
_ADDRESS = re.compile(r":(?=//)|www(?=\.)|@(?=[A-Za-z0-9_-])", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def one_line(text: str) -> str:
    """Make a text safe to print.

    Whitespace runs, line ends included, become one space; what drives a terminal, reorders a line
    or cannot be encoded becomes U+FFFD.
    """
    return UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def printable(text: str) -> str:
    """Make a message of several lines safe to print: the lines stay, as does what indents them."""
    lines = (UNPRINTABLE.sub("\ufffd", line.replace("\t", " ")) for line in text.split("\n"))
    return "\n".join(lines)


def escape(text: str) -> str:
    """Make a text render as itself in Markdown, in a Markdown table cell, and as text in HTML.

    Markup characters become numeric entities, which CommonMark (section 2.5) never reads as
    structure. An address (`http://`, `www.`, `@`) gets an invisible word joiner, so that nothing
    makes a link of it. The rest is that of `one_line`.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        One line, for a place between spaces or a cell of its own.
    """
    line = _ADDRESS.sub(lambda found: found[0] + _WORD_JOINER, one_line(text))
    line = _MARKUP.sub(lambda mark: _entity(mark[0]), line)
    line = _LEADING.sub(lambda mark: mark[1] + _entity(mark[2]), line)
    return line.replace(_WORD_JOINER, _entity(_WORD_JOINER))


def _entity(character: str) -> str:
    return f"&#{ord(character)};"
