"""Which part of a docstring is prose, and how it is cut into passages."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECTIONS = (
    "args|arguments|parameters|params|other parameters|keyword args|keyword arguments|returns?|"
    "yields?|receives|raises|warns|exceptions|attributes|methods|properties|fields|examples?|"
    "example usage|usage|notes?|references|see also|warnings?|todo|shape|inputs?|outputs?"
)
# "Args:" and ":param x:" stand alone; "Parameters" needs its underline to be a header.
_COLON_HEADER = re.compile(rf"(?:{_SECTIONS})\s*:{{1,2}}\s*$", re.IGNORECASE)
_NAMED_HEADER = re.compile(rf"(?:{_SECTIONS})\s*:?$", re.IGNORECASE)
_FIELD = re.compile(
    r"(?::(?:param|parameter|arg|type|returns?|rtype|raises?|var|ivar|cvar|key"
    r"|keyword|yields?|meta)\b[^:]*:)|@(?:param|type|return|rtype|raise)\b"
)
_UNDERLINE = re.compile(r"([=\-~^\"'*#+.])\1{2,}$")
_DIRECTIVE = re.compile(r"\.\.(?:\s|$)")
_BULLET = re.compile(r"(?:[-*+•]|\(?\d{1,2}[.)]|\(?[a-z]\))\s")
_ARGUMENT = re.compile(r"[*`]*\w+[*`]*\s\(.*\)\s*:")
_SIGNATURE = re.compile(r"[\w.]+\(.*\)\s*(?:->.*)?$")
_TABLE = re.compile(r"[|+]|=+\s+=+")
# What may begin anywhere has a bound, and white space is single by then: linear in any text.
_MARKUP = (
    (re.compile(r":[\w:.+-]{1,100}:`~?([^`<]+?)(?:\s*<[^`>]*>)?`"), r"\1"),  # :class:`~a.B`
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),  # `text <url>`_
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r"`([^`]+)`_{0,2}"), r"\1"),
    (re.compile(r"\*\*([^*\s][^*]*)\*\*"), r"\1"),
    (re.compile(r"\[([^\]]{1,1000})\]\([^)]{0,2000}\)"), r"\1"),  # [text](url)
    (re.compile(r"\s*\[(?:\d+|#?\w+)\]_"), ""),  # footnote [1]_
)
_HYPHENATED = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[]?[A-Z0-9])")


def description(docstring: str) -> list[str]:
    """Return the paragraphs of prose before a docstring's first section.

    A section is a numpydoc, Google or Sphinx header, or the first ``>>>``. Directives with their
    bodies, literal blocks, tables, lists, titles, signatures and described arguments are dropped;
    inline markup gives way to its text.

    Parameters
    ----------
    docstring : with its common indentation removed, as ``ast.get_docstring`` gives it.

    Returns
    -------
    list of str
        Paragraphs, each on one line.
    """
    paragraphs = [_plain("\n".join(lines)) for lines in _paragraphs(docstring.splitlines())]
    return [paragraph for paragraph in paragraphs if any(map(str.isalpha, paragraph))]


def passages(paragraphs: list[str], *, min_words: int, max_words: int) -> Iterator[str]:
    """Cut prose into passages of at most `max_words` white-space words.

    Whole paragraphs are joined while they fit; a longer one is cut between sentences, and a longer
    sentence between words. Passages of fewer than `min_words` are dropped.
    """
    passage, length = "", 0
    for piece, joint in _pieces(paragraphs, max_words):
        words = len(piece.split())
        if passage and length + words > max_words:
            if length >= min_words:
                yield passage
            passage, length = "", 0
        passage = passage + joint + piece if passage else piece
        length += words
    if length >= min_words:
        yield passage


def _pieces(paragraphs: list[str], max_words: int) -> Iterator[tuple[str, str]]:
    """Yield pieces of at most max_words words, each with what joins it to the one before."""
    for paragraph in paragraphs:
        joint = "\n\n"
        whole = len(paragraph.split()) <= max_words
        for sentence in [paragraph] if whole else _SENTENCE_END.split(paragraph):
            words = sentence.split()
            for start in range(0, len(words), max_words):
                yield " ".join(words[start : start + max_words]), joint
                joint = " "


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    paragraph: list[str] = []
    skip_from: int | None = None  # lines indented at least this far belong to a dropped block
    in_fence = False
    for index, line in enumerate(lines):
        content = line.strip()
        indent = len(line) - len(line.lstrip())
        if content.startswith(("```", "~~~")) and not _UNDERLINE.fullmatch(content):
            in_fence = not in_fence
            continue
        if in_fence:
            continue
        if not content:
            if paragraph:
                yield paragraph
                if paragraph[-1].endswith("::"):
                    skip_from = 1
            paragraph = []
            continue
        if skip_from is not None:
            if indent >= skip_from:
                continue
            skip_from = None
        following = lines[index + 1].strip() if index + 1 < len(lines) else ""
        if _starts_section(content, following):
            break
        if any(kind.match(content) for kind in (_DIRECTIVE, _BULLET, _ARGUMENT)):
            skip_from = indent + 1
        elif indent >= 4 and not paragraph:
            skip_from = indent  # a quotation or code
        elif not _is_markup(content, following):
            paragraph.append(content)
    if paragraph:
        yield paragraph


def _starts_section(content: str, following: str) -> bool:
    if content.startswith(">>>") or _COLON_HEADER.match(content) or _FIELD.match(content):
        return True
    return bool(_NAMED_HEADER.match(content) and _UNDERLINE.fullmatch(following))


def _is_markup(content: str, following: str) -> bool:
    title = _UNDERLINE.fullmatch(following) and len(following) >= len(content) * 0.8
    return bool(
        title
        or _UNDERLINE.fullmatch(content)
        or _TABLE.match(content)
        or _SIGNATURE.fullmatch(content)
    )


def _plain(text: str) -> str:
    text = " ".join(_HYPHENATED.sub("-", text).split())
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join(text.replace("::", ":").split())
