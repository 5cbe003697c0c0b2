"""Docstrings of this project as the site's reader of numpydoc expects them.

Here a parameter's line is `name : what it is`, since its type is in the signature.
"""

import re

from griffe import Extension, Object

_SECTION = re.compile(r"^(Parameters|Attributes)\n-+\n((?:(?!^\S.*\n-{3,}$).*\n?)*)", re.MULTILINE)
_REWRITES = (
    # A type alone, which the signature has too.
    (re.compile(r"^(\S[^:\n]*?) : [\w.]+$", re.MULTILINE), r"\1"),
    # More than that, and a sentence after it.
    (re.compile(r"^(\S[^:\n]*?) : (.+?)\.?\n +(?=[A-Z`])", re.MULTILINE), r"\1\n    \2. "),
    (re.compile(r"^(\S[^:\n]*?) : (.+)$", re.MULTILINE), r"\1\n    \2"),
)


class PlainEntries(Extension):
    """Takes what follows a colon for the beginning of the description."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub(_plain, obj.docstring.value)


def _plain(section: re.Match[str]) -> str:
    text = section.group(0)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text
