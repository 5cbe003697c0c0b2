"""How deeply is a text of JSON nested, told without parsing it?"""

from __future__ import annotations

import re

_BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def depth_exceeds(raw: bytes, limit: int) -> bool:
    """Whether lists and objects lie in each other more than `limit` deep."""
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(raw):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > limit:
                return True
        elif token in (b"]", b"}"):
            depth -= 1
    return False
