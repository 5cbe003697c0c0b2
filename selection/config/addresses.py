"""Addresses of what lies on other machines, which say where and never who asks."""

from __future__ import annotations

from collections.abc import Collection

from selection.basics.brevity import cut


def remote_address(address: str, schemes: Collection[str]) -> str:
    """Return an address if it is one of these kinds, and has no place for keys.

    Raises
    ------
    ValueError
        When it is not.
    """
    scheme, there, rest = address.partition("://")
    if not there or scheme not in schemes:
        known = ", ".join(f"{known}://" for known in schemes)
        raise ValueError(f"{cut(scheme)} is no kind of address that is known here: {known}")
    host, query = rest.partition("/")[0], "?" in rest and scheme.startswith("http")
    if not host or "@" in host or query or "::" in address or "#" in rest:
        raise ValueError(
            f"give it as `{scheme}://bucket/folder`; keys and options are read from the environment"
            " (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`), and never from a file"
        )
    return address
