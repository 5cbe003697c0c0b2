"""Addresses of what lies on other machines, which say where and never who asks."""

from __future__ import annotations

import re
from collections.abc import Collection

BUCKETS = ("s3", "gs", "az")
WEB = ("https", "http")
HUB = "hf"
"""Where `@` parts a data set from its revision."""

_BEFORE_AT = re.compile(r"(:/+)[^'\"]*@")
_AFTER_QUERY = re.compile(r"(:/+[^'\"?#]*)[?#][^'\"]*")


def remote_address(address: str, schemes: Collection[str]) -> str:
    """Return an address if it is one of these kinds, and has no place for keys.

    Raises
    ------
    ValueError
        When it is not; the message tells nothing of it.
    """
    scheme, there, rest = address.partition("://")
    if not there or scheme not in schemes:
        known = ", ".join(f"{known}://" for known in schemes)
        raise ValueError(f"it is no address of a kind that is known here: {known}")
    at = "@" in (rest.partition("/")[0] if scheme == HUB else rest)
    if rest.startswith("/") or not rest or at or set("?#") & set(rest) or "::" in address:
        raise ValueError(
            f"give it as `{scheme}://bucket/folder`; keys and options are read from the environment"
            " (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`), and never from a file"
        )
    return address


def without_keys(text: str) -> str:
    """Return a text without what addresses in it may hold that is nobody's business."""
    if ":/" not in text:
        return text
    return _AFTER_QUERY.sub(r"\1?***", _BEFORE_AT.sub(r"\1***@", text))
